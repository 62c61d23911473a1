// SPDX-License-Identifier: MIT OR Apache-2.0

//! One server, described by options. Each option stands for one key of the file; its text is
//! checked by the same code, and findings point into the command line.

use std::ops::Range;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::keys::{ALL, AnyKey, InTable};
use super::setting::Kind;
use super::tree::{Key, Node, Table, Value};
use crate::diagnostic::{Place, SourceId, Sources};

/// The options that describe a server and its packages, those of `keys::ALL`.
#[derive(Clone, Debug, Default)]
pub struct Options(Vec<Given>);

/// An option that was given.
#[derive(Clone, Debug)]
struct Given {
    key: &'static AnyKey,
    /// Its name, which may be a former one of its key.
    flag: &'static str,
    /// Its values, one at least.
    values: Vec<String>,
}

/// The names of a key's option: today's, and those that the key had before.
fn flags(key: &AnyKey) -> impl Iterator<Item = &'static str> {
    let entry = key.entry;
    let option = entry.option.as_ref();
    option.into_iter().flat_map(|option| {
        let former = entry.former.iter().copied();
        std::iter::once(option.flag).chain(former)
    })
}

impl Args for Options {
    fn augment_args(mut command: Command) -> Command {
        for key in ALL {
            let Some(option) = &key.entry.option else {
                continue;
            };
            for flag in flags(key) {
                let mut arg = Arg::new(flag)
                    .long(flag)
                    .value_name(option.value)
                    .help(option.help)
                    .help_heading(match key.entry.section.table() {
                        InTable::Package => "Packages",
                        _ => "Server (each option overrides its key in the file)",
                    })
                    .hide(flag != option.flag);
                if is_list(key) {
                    arg = arg.action(ArgAction::Append).value_delimiter(',');
                }
                command = command.arg(arg);
            }
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Options {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |key: &'static AnyKey| {
            flags(key).filter_map(move |flag| {
                let values = matches.get_many::<String>(flag)?.cloned().collect();
                Some(Given { key, flag, values })
            })
        };
        Ok(Options(ALL.iter().flat_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn is_list(key: &AnyKey) -> bool {
    matches!(key.kind, Kind::List(_) | Kind::OneOrList(_))
}

/// Options as the tables that they stand for, with the command line that has them.
#[derive(Debug)]
pub(super) struct OptionTables {
    /// The command line's source.
    pub line: SourceId,
    pub package: Table,
    pub server: Table,
    pub ports: Table,
}

impl Options {
    /// The tables that these options stand for; `sources` gets the command line.
    pub(super) fn tables(&self, sources: &mut Sources) -> OptionTables {
        let mut line = String::new();
        let written: Vec<_> = self.0.iter().map(|it| it.write(&mut line)).collect();
        let line = sources.add("<command line>", &line);
        let table = |table: InTable| Table {
            entries: self
                .0
                .iter()
                .zip(&written)
                .filter(|(given, _)| given.key.entry.section.table() == table)
                .map(|(given, spans)| given.entry(line, spans))
                .collect(),
        };
        OptionTables {
            line,
            package: table(InTable::Package),
            server: table(InTable::Server),
            ports: table(InTable::Ports),
        }
    }
}

/// Where an option and its values stand in the command line.
struct Spans {
    whole: Range<usize>,
    values: Vec<Range<usize>>,
}

impl Given {
    /// Writes the option to the end of a command line.
    fn write(&self, line: &mut String) -> Spans {
        let from = line.len() + usize::from(!line.is_empty());
        let mut values = Vec::new();
        for value in &self.values {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str("--");
            line.push_str(self.flag);
            line.push(' ');
            let start = line.len();
            line.push_str(value);
            values.push(start..line.len());
        }
        Spans {
            whole: from..line.len(),
            values,
        }
    }

    /// The entry of a table that it stands for.
    fn entry(&self, source: SourceId, spans: &Spans) -> (Key, Node) {
        let at = |span: &Range<usize>| Place {
            source,
            span: span.clone(),
        };
        let entry = self.key.entry;
        let is_former = entry.former.contains(&self.flag);
        let key = Key {
            name: if is_former { self.flag } else { entry.name }.to_owned(),
            place: at(&spans.whole),
        };
        let mut values = self
            .values
            .iter()
            .zip(&spans.values)
            .map(|(text, span)| Node {
                value: scalar(self.key.kind, text),
                place: at(span),
            });
        let node = match (is_list(self.key), values.next()) {
            (false, Some(node)) => node,
            (_, first) => Node {
                place: key.place.clone(),
                value: Value::Array(first.into_iter().chain(values).collect()),
            },
        };
        (key, node)
    }
}

/// An option's text as the kind of value that its key takes; where it is none, the text stays
/// text, which the decoder refuses at its place.
fn scalar(kind: Kind, text: &str) -> Value {
    let as_text = || Value::Text(text.to_owned());
    match kind {
        Kind::Integer { .. } => match text.parse::<i64>() {
            Ok(number) => Value::Integer(Some(number)),
            Err(_) => as_text(),
        },
        Kind::Boolean | Kind::ChoiceOrBoolean(_) => match text {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => as_text(),
        },
        Kind::Text
        | Kind::Choice(_)
        | Kind::List(_)
        | Kind::OneOrList(_)
        | Kind::Ports
        | Kind::Table => as_text(),
    }
}
