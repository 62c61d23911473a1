// SPDX-License-Identifier: MIT OR Apache-2.0

//! Values with their places, whether they come from a file or from options.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::findings::Findings;
use crate::diagnostic::{Place, SourceId};
use crate::model::Invalid;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub value: Value,
    pub place: Place,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    /// `None`: a number beyond 64 bits.
    Integer(Option<i64>),
    /// Infinite too: written so, or beyond 64 bits.
    Float(f64),
    Boolean(bool),
    Array(Vec<Node>),
    Table(Table),
    /// A value of a kind that no key takes, with the kind's name.
    Other(&'static str),
}

impl Value {
    /// The kind, with its article.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Boolean(_) => "a boolean",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
            Value::Other(kind) => kind,
        }
    }
}

/// The entries of a table, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub entries: Vec<(Key, Node)>,
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub name: String,
    pub place: Place,
}

impl Table {
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entries
            .iter()
            .find(|(key, _)| key.name == name)
            .map(|(_, node)| node)
    }
}

/// Parses a file. Each fault of its syntax is one finding.
pub(super) fn from_toml(source: SourceId, text: &str, findings: &mut Findings) -> Table {
    let (root, errors) = DeTable::parse_recoverable(text);
    // One slip can unsettle the parser for the rest of its line: one finding a place is enough.
    let mut last_end = None;
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        if last_end.is_some_and(|end| span.start < end) {
            continue;
        }
        let line_end = text[text.floor_char_boundary(span.start.min(text.len()))..]
            .find('\n')
            .map_or(text.len(), |offset| span.start + offset);
        last_end = Some(line_end.max(span.end));
        let what = Invalid::new(
            "this is not TOML",
            error.message().lines().next().unwrap_or("unexpected"),
            "a configuration is a TOML file (https://toml.io)",
            "see the files in examples/, or let `openclaw-formula init` write one",
        );
        findings.error(&Place { source, span }, what);
    }
    table(source, root.get_ref())
}

fn table(source: SourceId, table: &DeTable<'_>) -> Table {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| {
            let key = Key {
                name: key.get_ref().to_string(),
                place: Place {
                    source,
                    span: key.span(),
                },
            };
            (key, node(source, value))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.place.span.start);
    Table { entries }
}

fn node(source: SourceId, spanned: &Spanned<DeValue<'_>>) -> Node {
    let value = match spanned.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) => {
            Value::Integer(i64::from_str_radix(integer.as_str(), integer.radix()).ok())
        }
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Array(array) => {
            Value::Array(array.iter().map(|item| node(source, item)).collect())
        }
        DeValue::Table(entries) => Value::Table(table(source, entries)),
        DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Datetime(_) => Value::Other("a date"),
    };
    Node {
        value,
        place: Place {
            source,
            span: spanned.span(),
        },
    }
}
