// SPDX-License-Identifier: MIT OR Apache-2.0

//! From a table to the values of its keys: which keys it may have, by which names, and where each
//! value stands.

use super::findings::{Findings, Reported};
use super::keys::{AnyKey, Entry, Key};
use super::setting::Setting;
use super::tree::{Node, Table};
use crate::diagnostic::{Diagnostic, Place};
use crate::model::{Invalid, pick};

/// A setting: its value, where it stands, and whether a person wrote it. A setting that is
/// missing stands at the head of its table.
#[derive(Clone, Debug)]
pub(super) struct Field<T> {
    /// The value, or its default.
    pub value: Result<T, Reported>,
    pub place: Place,
    pub given: bool,
}

impl<T> Field<T> {
    /// The value and its place, if it could be read.
    pub fn known(&self) -> Option<(&T, &Place)> {
        let value = self.value.as_ref().ok()?;
        Some((value, &self.place))
    }
}

impl<T> Field<Option<T>> {
    /// What was written and its place, if something was, and could be read.
    pub fn written(&self) -> Option<(&T, &Place)> {
        self.known()
            .and_then(|(value, place)| Some((value.as_ref()?, place)))
    }
}

/// What stands at a key, if anything: [`or`](Read::or) and the like make it a [`Field`].
#[derive(Debug)]
pub(super) struct Read<T> {
    /// What was written.
    pub found: Option<Result<T, Reported>>,
    place: Place,
}

impl<T> Read<T> {
    /// With a default where nothing was written.
    pub fn or(self, default: T) -> Field<T> {
        self.or_else(|| Ok(default))
    }

    /// The same, where the default may follow from what could not be read.
    pub fn or_else(self, default: impl FnOnce() -> Result<T, Reported>) -> Field<T> {
        Field {
            given: self.found.is_some(),
            value: self.found.unwrap_or_else(default),
            place: self.place,
        }
    }

    /// Without a default.
    pub fn optional(self) -> Field<Option<T>> {
        Field {
            given: self.found.is_some(),
            value: self.found.transpose(),
            place: self.place,
        }
    }

    /// What was written, if it could be read.
    pub fn readable(&self) -> Option<&T> {
        self.found.as_ref()?.as_ref().ok()
    }
}

/// A table of the file, and the options that override it.
pub(super) struct Scope<'a> {
    /// The table of the file.
    pub table: &'a Table,
    /// The options.
    pub options: &'a Table,
    /// Where a setting stands that is missing.
    pub head: Place,
}

impl Scope<'_> {
    /// Reads a key.
    pub fn get<T: Setting>(&self, key: &Key<T>, findings: &mut Findings) -> Read<T> {
        let node = [self.options, self.table]
            .into_iter()
            .filter_map(|table| find(table, &key.entry, findings))
            // Each table is looked through, for what it says of former names.
            .reduce(|option, _| option);
        let name = key.entry.name;
        Read {
            found: node.map(|node| T::read(node, name, findings)),
            place: node.map_or_else(|| self.head.clone(), |node| node.place.clone()),
        }
    }
}

/// The value of a key in one table, by its name or a former one.
fn find<'t>(table: &'t Table, key: &Entry, findings: &mut Findings) -> Option<&'t Node> {
    let name = key.name;
    let mut found = table.get(name);
    for former in key.former {
        let written = table.entries.iter().find(|(key, _)| key.name == *former);
        let Some((written, node)) = written else {
            continue;
        };
        let rule = format!("the key is called `{name}` now; its former name is still taken");
        match found {
            Some(other) => {
                let what = Invalid::new(
                    format!("`{former}` beside `{name}`, which is the same key"),
                    "the former name",
                    rule,
                    format!("leave `{former}` out"),
                );
                findings.error_beside(&written.place, what, [(&other.place, "the same key")]);
            }
            None => {
                let what = Invalid::new(
                    format!("`{former}` is a former name"),
                    "an old name",
                    rule,
                    format!("write {name}"),
                );
                findings.push(Diagnostic::warning(written.place.clone(), what));
                found = Some(node);
            }
        }
    }
    found
}

/// Reports each key of a table that is none of these.
pub(super) fn refuse_unknown<'k>(
    table: &Table,
    known: impl Iterator<Item = &'k AnyKey>,
    of: &str,
    findings: &mut Findings,
) {
    let known: Vec<_> = known.collect();
    let names: Vec<_> = known.iter().map(|key| key.entry.name).collect();
    let is_known = |name: &str| known.iter().any(|key| key.entry.has_name(name));
    for (key, _) in &table.entries {
        if !is_known(&key.name) {
            let what = Invalid::new(
                format!("{of} has no key \"{}\"", key.name.escape_debug()),
                "unknown key",
                format!("the keys are {}", names.join(", ")),
                pick(&key.name, &names),
            );
            findings.error(&key.place, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::Section;
    use super::super::tree;
    use super::*;
    use crate::diagnostic::Sources;

    static RENAMED: Key<bool> = Key::new(Entry {
        name: "wakes",
        former: &["starts", "boots"],
        ..Entry::new(Section::Qube)
    });

    /// What a key's value is, and what is said of it.
    fn read(text: &str) -> (Option<bool>, Vec<String>) {
        let (mut sources, mut findings) = (Sources::default(), Findings::default());
        let source = sources.add("openclaw.toml", text);
        let table = tree::from_toml(source, text, &mut findings);
        refuse_unknown(
            &table,
            std::iter::once(&RENAMED.any()),
            "a server",
            &mut findings,
        );
        let scope = Scope {
            table: &table,
            options: &Table::default(),
            head: Place { source, span: 0..0 },
        };
        let value = scope.get(&RENAMED, &mut findings);
        let said = findings.into_vec().into_iter();
        (
            value.readable().copied(),
            said.map(|it| format!("{:?}: {}", it.severity, it.what.problem))
                .collect(),
        )
    }

    #[test]
    fn a_former_name_is_taken_and_warned_of() {
        assert_eq!(read("wakes = true"), (Some(true), vec![]));
        let warning = "Warning: `boots` is a former name".to_owned();
        assert_eq!(read("boots = false"), (Some(false), vec![warning]));
        let (_, said) = read("boots = false\nwakes = true\n");
        assert_eq!(
            said,
            ["Error: `boots` beside `wakes`, which is the same key"]
        );
        let (_, said) = read("boots = false\nstarts = true\n");
        assert_eq!(said.len(), 2, "{said:?}");
        let (value, said) = read("naps = true");
        assert_eq!(value, None);
        assert_eq!(said, ["Error: a server has no key \"naps\""]);
    }
}
