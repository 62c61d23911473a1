// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::Serialize;

use super::Invalid;

/// The memory of a qube, in MiB: what it starts with, and what it may grow to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    initial: u32,
    max: u32,
}

impl Memory {
    /// The least that a qube boots and the gateway starts with, in MiB.
    pub const LEAST_INITIAL: u32 = 400;
    /// The least maximum, in MiB: the gateway peaks at 1.1 GiB of its own, idle, and is allowed
    /// 3 GiB by its unit; the rest is the qube's system.
    pub const LEAST_MAX: u32 = 4000;
    /// The most that this tool writes, in MiB (1 TiB).
    pub const MOST: u32 = 1_048_576;

    /// What a server gets when nothing is said.
    pub const DEFAULT: Memory = Memory {
        initial: 2000,
        max: 4000,
    };

    /// A checked pair.
    ///
    /// # Errors
    /// If the qube would start with more than it may grow to.
    pub fn new(initial: InitialMemory, max: MaxMemory) -> Result<Self, Invalid> {
        let (InitialMemory(initial), MaxMemory(max)) = (initial, max);
        if initial > max {
            return Err(Invalid::new(
                format!("memory {initial} is more than max-memory {max}"),
                "more than the maximum",
                "a qube starts with `memory` MiB and grows to `max-memory` MiB at most",
                format!("write memory = {max} or less, or max-memory = {initial} or more"),
            ));
        }
        Ok(Memory { initial, max })
    }

    /// This memory as a default: where a person said one number, the other follows it.
    pub fn fit(
        self,
        initial: Option<InitialMemory>,
        max: Option<MaxMemory>,
    ) -> (InitialMemory, MaxMemory) {
        let most = max.map_or(u32::MAX, |max| max.0);
        let least = initial.map_or(0, |initial| initial.0);
        (
            initial.unwrap_or(InitialMemory(self.initial.min(most))),
            max.unwrap_or(MaxMemory(self.max.max(least))),
        )
    }

    /// MiB at start.
    pub fn initial(self) -> u32 {
        self.initial
    }

    /// MiB at most.
    pub fn max(self) -> u32 {
        self.max
    }

    fn check(key: &str, value: i64, least: u32, why: &str) -> Result<u32, Invalid> {
        u32::try_from(value)
            .ok()
            .filter(|mib| (least..=Self::MOST).contains(mib))
            .ok_or_else(|| {
                Invalid::new(
                    format!("{value} is not an amount of memory for an OpenClaw qube"),
                    if value < i64::from(least) {
                        "too little"
                    } else {
                        "too much"
                    },
                    format!("{key} is in MiB, from {least} to {}: {why}", Self::MOST),
                    format!(
                        "write {key} = {}",
                        if key == "memory" { 2000 } else { 4000 }
                    ),
                )
            })
    }
}

/// What a qube starts with, in MiB: [`Memory::LEAST_INITIAL`] to [`Memory::MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialMemory(u32);

impl InitialMemory {
    /// Checks a number.
    pub fn new(value: i64) -> Result<Self, Invalid> {
        const WHY: &str = "a qube needs as much to start";
        Memory::check("memory", value, Memory::LEAST_INITIAL, WHY).map(InitialMemory)
    }
}

/// What a qube grows to, in MiB: [`Memory::LEAST_MAX`] to [`Memory::MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxMemory(u32);

impl MaxMemory {
    /// Checks a number.
    pub fn new(value: i64) -> Result<Self, Invalid> {
        const WHY: &str = "the gateway alone peaks at 1.1 GiB while idle";
        Memory::check("max-memory", value, Memory::LEAST_MAX, WHY).map(MaxMemory)
    }

    /// The number.
    pub fn mib(self) -> u32 {
        self.0
    }
}
