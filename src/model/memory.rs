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

    /// A pair from a table in this program.
    pub(crate) const fn known(initial: u32, max: u32) -> Self {
        assert!(initial >= Self::LEAST_INITIAL && max >= Self::LEAST_MAX && initial <= max);
        Memory { initial, max }
    }

    /// A checked pair.
    pub fn new(initial: u32, max: u32) -> Result<Self, Invalid> {
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

    /// MiB at start.
    pub fn initial(self) -> u32 {
        self.initial
    }

    /// MiB at most.
    pub fn max(self) -> u32 {
        self.max
    }

    /// Checks a number of MiB to start with.
    pub fn check_initial(value: i64) -> Result<u32, Invalid> {
        Self::check(
            "memory",
            value,
            Self::LEAST_INITIAL,
            "a qube needs as much to start",
        )
    }

    /// Checks a number of MiB to grow to.
    pub fn check_max(value: i64) -> Result<u32, Invalid> {
        Self::check(
            "max-memory",
            value,
            Self::LEAST_MAX,
            "the gateway alone peaks at 1.1 GiB while idle",
        )
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
