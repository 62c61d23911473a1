// SPDX-License-Identifier: MIT OR Apache-2.0

//! `providers`: lists the model providers.

use std::fmt::Write;

use super::args::Providers;
use super::{Failure, print_output};
use crate::provider;

pub(super) fn run(args: &Providers) -> Result<(), Failure> {
    if args.json {
        let list: Vec<_> = provider::all()
            .map(|(provider, setup)| {
                serde_json::json!({
                    "name": provider.name,
                    "title": provider.title,
                    "requires": provider.requires,
                    "key": setup.key.as_ref().map(|key| &key.variable),
                    "default_model": format!("{}/{}", provider.name, provider.models.default),
                    "models": provider.models.names,
                    "memory_mib": { "initial": provider.memory.initial(), "max": provider.memory.max() },
                })
            })
            .collect();
        let text = serde_json::to_string_pretty(&list).expect("a JSON value can be written");
        return print_output(&(text + "\n"));
    }
    let mut text = String::new();
    for (provider, _) in provider::all() {
        let model = format!("{}/{}", provider.name, provider.models.default);
        let _ = writeln!(
            text,
            "{:<10} {model:<28} {}",
            provider.name, provider.requires
        );
    }
    print_output(&text)
}
