// SPDX-License-Identifier: MIT OR Apache-2.0

//! The models of each provider, which `models.toml` lists.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// The models of one provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// The one that is used when nothing is said.
    pub default: String,
    /// What becomes of one that is not listed.
    pub others: Others,
    /// The day on which the names were taken.
    pub taken: String,
    /// Where they were taken from.
    pub source: String,
    /// Their names.
    pub names: Vec<String>,
}

/// What becomes of a model that is not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Others {
    /// Its provider does not know it.
    Refused,
    /// It may be new.
    Doubted,
    /// The list names but the default one.
    Taken,
}

/// The models of the provider of this name.
///
/// # Panics
/// If there is no such provider: the file is part of this program.
pub fn of(provider: &str) -> &'static Models {
    static ALL: LazyLock<BTreeMap<String, Models>> = LazyLock::new(|| {
        toml::from_str(include_str!("models.toml")).expect("models.toml is in order")
    });
    &ALL[provider]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::PROVIDERS;

    #[test]
    fn every_provider_has_its_models_and_the_default_is_one_of_them() {
        for provider in PROVIDERS {
            let models = of(provider.name);
            assert!(models.names.contains(&models.default), "{provider:?}");
            let mut names = models.names.clone();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), models.names.len(), "one is there twice");
        }
    }

    #[test]
    fn cursors_models_are_those_of_the_pinned_proxy() {
        let cursor = crate::provider::find("cursor").unwrap();
        let pinned = cursor.pins.iter().find(|pin| pin.name == "proxy").unwrap();
        let commit = pinned.version.rsplit('-').next().unwrap();
        assert!(of("cursor").source.ends_with(commit));
    }

    #[test]
    fn the_catalogues_are_those_of_the_pinned_openclaw() {
        for provider in ["openai", "anthropic"] {
            assert!(of(provider).source.ends_with(crate::openclaw::VERSION));
        }
    }
}
