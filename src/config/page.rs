// SPDX-License-Identifier: MIT OR Apache-2.0

//! The tables of docs/configuration.md, which tests hold to the keys and the providers.

use super::keys::{ALL, InTable, Section};
use crate::model::PROVIDERS;

/// The table of a section.
fn table(section: Section) -> String {
    let mut out = String::from("| Key | Option | Default | Rule |\n|---|---|---|---|\n");
    for key in ALL.iter().filter(|key| key.entry.section == section) {
        let entry = key.entry;
        // The keys of `ports` have no rows of their own.
        let inner = (entry.name == "ports").then(|| InTable::Ports.keys());
        let options: Vec<_> = inner
            .into_iter()
            .flatten()
            .chain([key])
            .filter_map(|key| Some(format!("`--{}`", key.entry.option.as_ref()?.flag)))
            .collect();
        let option = if options.is_empty() {
            "none".to_owned()
        } else {
            options.join(", ")
        };
        out += &format!(
            "| `{}` | {option} | {} | {} |\n",
            entry.name, entry.default, entry.rule
        );
    }
    out
}

#[test]
fn the_page_has_a_table_of_the_first_providers() {
    let mut table = String::from(
        "| `provider` | | What it needs | Memory, MiB | Default model |\n|---|---|---|---|---|\n",
    );
    // The others are not worth a longer page: a command lists them.
    for provider in PROVIDERS.iter().filter(|it| it.is_first()) {
        table += &format!(
            "| `\"{}\"` | {} | {} | {} to {} | `{}` |\n",
            provider.name,
            provider.title,
            provider.requires,
            provider.memory.initial(),
            provider.memory.max(),
            provider.models.default,
        );
    }
    let page = include_str!("../../docs/configuration.md");
    assert!(
        page.contains(&format!("\n\n{table}\n")),
        "docs/configuration.md lacks this table:\n{table}"
    );
}

#[test]
fn the_page_has_a_table_of_each_section() {
    let page = include_str!("../../docs/configuration.md");
    for section in [
        Section::Package,
        Section::Qube,
        Section::Reaching,
        Section::Model,
    ] {
        let table = table(section);
        assert!(
            page.contains(&format!("\n\n{table}\n")),
            "docs/configuration.md lacks this table:\n{table}"
        );
    }
}
