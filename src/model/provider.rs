// SPDX-License-Identifier: MIT OR Apache-2.0

//! The model providers, one file each in `src/providers/`: what decisions are made by. How a
//! provider is set up in a qube stands in the same file, and is not the model's to know.

use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::{InitialMemory, MaxMemory, Memory, Port};

static FILES: Dir = include_dir!("$CARGO_MANIFEST_DIR/src/providers");

/// Every provider, in the order in which they are shown. The first is the default.
pub static PROVIDERS: LazyLock<Vec<Provider>> = LazyLock::new(|| {
    let mut all: Vec<_> = FILES
        .files()
        .map(|file| {
            let name = file.path().file_stem().and_then(|stem| stem.to_str());
            let name = name.expect("the name of a provider's file is text");
            let text = file.contents_utf8().expect("a provider's file is text");
            Provider::read(name, text)
        })
        .collect();
    all.sort_by_key(|provider| (provider.rank.unwrap_or(u8::MAX), provider.name));
    all
});

/// The provider of this name.
pub fn find(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.name == name)
}

/// One model provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The word in the configuration, OpenClaw's own id for it, and the name of its file.
    #[serde(skip)]
    pub name: &'static str,
    /// What people call it.
    pub title: String,
    /// What the user must bring, in words.
    pub requires: String,
    /// Its place among those that are shown first; the others follow by name.
    rank: Option<u8>,
    /// The memory that a server with it gets when nothing is said.
    #[serde(default = "usual_memory", deserialize_with = "memory")]
    pub memory: Memory,
    /// Whether it needs the Internet at run time.
    pub online: bool,
    /// Whether the cursor proxy serves it, on a port that others may be let through to.
    #[serde(default)]
    pub proxied: bool,
    /// Whether OpenClaw has it index the agent's memory unasked.
    #[serde(default)]
    pub indexes_memory: bool,
    /// The port that its own service listens on in the qube.
    #[serde(default, deserialize_with = "port")]
    pub port: Option<Port>,
    /// Its models.
    pub models: Models,
    /// How it is set up, which `crate::provider` reads from the same text.
    #[serde(rename = "setup")]
    _setup: IgnoredAny,
    /// The text of its file.
    #[serde(skip)]
    pub text: &'static str,
}

impl Provider {
    /// Whether it is among those that are shown first.
    pub fn is_first(&self) -> bool {
        self.rank.is_some()
    }

    /// Reads the file of a provider.
    ///
    /// # Panics
    /// If it is not as it must be: the file is a part of this program.
    pub(crate) fn read(name: &'static str, text: &'static str) -> Self {
        match toml::from_str(text) {
            Ok(provider) => Provider {
                name,
                text,
                ..provider
            },
            Err(error) => panic!("src/providers/{name}.toml: {error}"),
        }
    }
}

/// The models of a provider, by the names that OpenClaw has for them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// The one that is used when nothing is said.
    pub default: String,
    /// What becomes of one that is not listed.
    pub others: Others,
    /// The day of the list.
    pub as_of: String,
    /// Where the names are from.
    pub source: String,
    /// Their names.
    pub names: Vec<String>,
}

/// What becomes of a model that is not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Others {
    /// It is an error: its provider does not know it.
    Refused,
    /// It draws a warning: it may be new.
    Doubted,
    /// It is like any other: the list names but the default one.
    Accepted,
}

fn usual_memory() -> Memory {
    Memory::DEFAULT
}

fn memory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Memory, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        initial: i64,
        max: i64,
    }
    let Written { initial, max } = Written::deserialize(deserializer)?;
    InitialMemory::new(initial)
        .and_then(|initial| Memory::new(initial, MaxMemory::new(max)?))
        .map_err(D::Error::custom)
}

fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Port>, D::Error> {
    let number = i64::deserialize(deserializer)?;
    Port::new(number).map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_default_model_is_listed_and_each_is_there_once() {
        for provider in PROVIDERS.iter() {
            let models = &provider.models;
            assert!(models.names.contains(&models.default), "{provider:?}");
            let names: BTreeSet<_> = models.names.iter().collect();
            assert_eq!(names.len(), models.names.len(), "{}", provider.name);
        }
    }

    #[test]
    fn those_of_the_seed_come_first() {
        let names: Vec<_> = PROVIDERS.iter().map(|provider| provider.name).collect();
        assert_eq!(names[..4], ["cursor", "openai", "anthropic", "ollama"]);
    }

    #[test]
    fn the_catalogues_are_those_of_the_pinned_openclaw() {
        for provider in ["openai", "anthropic"] {
            let source = &find(provider).unwrap().models.source;
            assert!(source.ends_with(crate::openclaw::VERSION), "{source}");
        }
    }
}
