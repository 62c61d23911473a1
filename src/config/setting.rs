// SPDX-License-Identifier: MIT OR Apache-2.0

//! How the value of a key is read: one implementation of [`Setting`] for each type of value.

use std::collections::HashMap;
use std::hash::Hash;
use std::str::FromStr;

use super::findings::{Findings, Reported};
use super::tree::{Node, Table, Value};
use crate::diagnostic::Place;
use crate::model::{
    Address, Class, ExposeProxy, FixedToken, InitialMemory, InterQube, Invalid, Label, ManagedQube,
    MaxMemory, Memory, ModeName, Network, Os, PROVIDERS, Port, ProviderRef, ProviderSet, QubeName,
    Release, Tag, Version,
};

/// What kind of value a key takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Any text, whose rule the documentation says.
    Text,
    /// One of these words.
    Choice(fn() -> Vec<&'static str>),
    /// One of these words, or true or false.
    ChoiceOrBoolean(fn() -> Vec<&'static str>),
    /// A whole number from one bound to the other.
    Integer {
        /// The lowest.
        least: i64,
        /// The highest.
        most: i64,
    },
    /// True or false.
    Boolean,
    /// A list without repetition.
    List(&'static Kind),
    /// One item, or a list of at least one without repetition.
    OneOrList(&'static Kind),
    /// A table of the keys of `ports`.
    Ports,
    /// A table of settings that are not this program's.
    Table,
}

/// The type of a key's value.
pub(super) trait Setting: Sized {
    /// What kind of value that is.
    const KIND: Kind;

    /// Reads a value of a key.
    fn read(node: &Node, key: &str, findings: &mut Findings) -> Result<Self, Reported>;
}

/// One item of a list, with its place.
pub(super) type Item<T> = (T, Place);

/// The items of a list that could be read.
#[derive(Clone, Debug)]
pub(super) struct List<T> {
    /// Those items, each once.
    pub items: Vec<Item<T>>,
    /// Whether those are all.
    whole: Result<(), Reported>,
    /// Whether any was written, readable or not.
    pub has_any: bool,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List {
            items: Vec::new(),
            whole: Ok(()),
            has_any: false,
        }
    }
}

impl<T> List<T> {
    /// All the items with their places.
    pub fn whole(&self) -> Result<&[Item<T>], Reported> {
        self.whole.map(|()| self.items.as_slice())
    }

    /// All the items.
    pub fn into_values(self) -> Result<Vec<T>, Reported> {
        self.whole?;
        Ok(self.items.into_iter().map(|(value, _)| value).collect())
    }
}

/// The text of any setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text(pub String);

/// The qube that gives network, or none.
#[derive(Clone, Debug)]
pub(super) struct Netvm(pub Option<QubeName>);

impl FromStr for Netvm {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "" | "none" => Ok(Netvm(None)),
            name => Ok(Netvm(Some(name.parse()?))),
        }
    }
}

/// The path of one of OpenClaw's own settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SettingPath(pub String);

impl FromStr for SettingPath {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Ok(SettingPath(text.to_owned()))
    }
}

/// The table of ports. Its keys are read by themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct PortTable(pub Table);

/// The table of OpenClaw's own settings.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenClawTable(pub Table);

/// Reports that a value is of another kind than its key takes, which `form` says with the fix.
pub(super) fn wrong_kind(
    findings: &mut Findings,
    key: &str,
    node: &Node,
    (rule, fix): (&str, &str),
) -> Reported {
    let kind = node.value.kind();
    let what = Invalid::new(
        format!("`{key}` is {kind}"),
        format!("found {kind}"),
        rule,
        fix,
    );
    findings.error(&node.place, what)
}

fn text<'n>(node: &'n Node, key: &str, findings: &mut Findings) -> Result<&'n str, Reported> {
    match &node.value {
        Value::Text(text) => Ok(text),
        _ => Err(wrong_kind(
            findings,
            key,
            node,
            (
                &format!("`{key}` is a string"),
                "write it in quotes, such as \"…\"",
            ),
        )),
    }
}

fn parse<T: FromStr<Err = Invalid>>(
    node: &Node,
    key: &str,
    findings: &mut Findings,
) -> Result<T, Reported> {
    let text = text(node, key, findings)?;
    text.parse()
        .map_err(|what| findings.error(&node.place, what))
}

impl Setting for Text {
    const KIND: Kind = Kind::Text;

    fn read(node: &Node, key: &str, findings: &mut Findings) -> Result<Self, Reported> {
        text(node, key, findings).map(|text| Text(text.to_owned()))
    }
}

/// Implements [`Setting`] for types that are read from text.
macro_rules! texts {
    ($($type:ty: $kind:expr),+ $(,)?) => {
        $(impl Setting for $type {
            const KIND: Kind = $kind;

            fn read(node: &Node, key: &str, findings: &mut Findings) -> Result<Self, Reported> {
                parse(node, key, findings)
            }
        })+
    };
}

texts! {
    Address: Kind::Text,
    Class: Kind::Choice(|| Class::WORDS.to_vec()),
    FixedToken: Kind::Text,
    InterQube: Kind::Choice(|| InterQube::WORDS.to_vec()),
    Label: Kind::Choice(|| Label::WORDS.to_vec()),
    ManagedQube: Kind::Text,
    ModeName: Kind::Choice(|| ModeName::WORDS.to_vec()),
    Netvm: Kind::Text,
    Network: Kind::Text,
    Os: Kind::Choice(|| Os::WORDS.to_vec()),
    ProviderRef: Kind::Choice(|| PROVIDERS.iter().map(|provider| provider.name).collect()),
    QubeName: Kind::Text,
    SettingPath: Kind::Text,
    Tag: Kind::Text,
    Version: Kind::Text,
}

/// Implements [`Setting`] for types that are read from a number.
macro_rules! integers {
    ($($type:ty: $least:expr, $most:expr);+ $(;)?) => {
        $(impl Setting for $type {
            const KIND: Kind = Kind::Integer { least: $least as i64, most: $most as i64 };

            fn read(node: &Node, key: &str, findings: &mut Findings) -> Result<Self, Reported> {
                integer(node, key, <$type>::new, findings)
            }
        })+
    };
}

integers! {
    InitialMemory: Memory::LEAST_INITIAL, Memory::MOST;
    MaxMemory: Memory::LEAST_MAX, Memory::MOST;
    Port: Port::LEAST, Port::MOST;
    Release: 1, Release::MOST;
}

fn integer<T>(
    node: &Node,
    key: &str,
    check: fn(i64) -> Result<T, Invalid>,
    findings: &mut Findings,
) -> Result<T, Reported> {
    let Value::Integer(number) = &node.value else {
        let rule = format!("`{key}` is an integer");
        let form = (rule.as_str(), "write a whole number, without quotes");
        return Err(wrong_kind(findings, key, node, form));
    };
    number
        .ok_or_else(|| {
            Invalid::new(
                format!("`{key}` is beyond all bounds"),
                "too large a number",
                "a number has 64 bits at most",
                "write a smaller number",
            )
        })
        .and_then(check)
        .map_err(|what| findings.error(&node.place, what))
}

impl Setting for bool {
    const KIND: Kind = Kind::Boolean;

    fn read(node: &Node, key: &str, findings: &mut Findings) -> Result<Self, Reported> {
        match &node.value {
            Value::Boolean(boolean) => Ok(*boolean),
            _ => Err(wrong_kind(
                findings,
                key,
                node,
                (
                    &format!("`{key}` is true or false"),
                    "write true or false, without quotes",
                ),
            )),
        }
    }
}

/// A word, or what earlier versions took: true for the network, and false.
impl Setting for ExposeProxy {
    const KIND: Kind = Kind::ChoiceOrBoolean(|| ExposeProxy::WORDS.to_vec());

    fn read(node: &Node, key: &str, findings: &mut Findings) -> Result<Self, Reported> {
        match node.value {
            Value::Boolean(true) => Ok(ExposeProxy::Network),
            Value::Boolean(false) => Ok(ExposeProxy::Off),
            _ => parse(node, key, findings),
        }
    }
}

impl<T: Setting + Clone + Eq + Hash> Setting for List<T> {
    const KIND: Kind = Kind::List(&T::KIND);

    fn read(node: &Node, key: &str, findings: &mut Findings) -> Result<Self, Reported> {
        let Value::Array(nodes) = &node.value else {
            return Err(wrong_kind(
                findings,
                key,
                node,
                (
                    &format!("`{key}` is a list of strings"),
                    "write it in brackets, such as [\"…\", \"…\"]",
                ),
            ));
        };
        let mut list = List {
            has_any: !nodes.is_empty(),
            ..List::default()
        };
        let mut first: HashMap<T, &Place> = HashMap::new();
        for item in nodes {
            match T::read(item, key, findings) {
                Err(reported) => list.whole = Err(reported),
                Ok(value) => match first.get(&value) {
                    Some(earlier) => list.whole = Err(twice(key, item, earlier, findings)),
                    None => {
                        first.insert(value.clone(), &item.place);
                        list.items.push((value, item.place.clone()));
                    }
                },
            }
        }
        Ok(list)
    }
}

fn twice(key: &str, item: &Node, first: &Place, findings: &mut Findings) -> Reported {
    let shown = match &item.value {
        Value::Text(text) => text.as_str(),
        _ => "an item",
    };
    let what = Invalid::new(
        format!("\"{shown}\" is in `{key}` twice"),
        "again",
        format!("each item of `{key}` is there once"),
        "leave one of them out",
    );
    findings.error_beside(&item.place, what, [(first, "first here")])
}

impl Setting for ProviderSet {
    const KIND: Kind = Kind::OneOrList(&ProviderRef::KIND);

    fn read(node: &Node, key: &str, findings: &mut Findings) -> Result<Self, Reported> {
        if let Value::Text(_) = node.value {
            return parse(node, key, findings).map(ProviderSet::one);
        }
        let providers = List::<ProviderRef>::read(node, key, findings)?.into_values()?;
        ProviderSet::new(providers).map_err(|what| findings.error(&node.place, what))
    }
}

/// Implements [`Setting`] for tables, with the rule and the fix for what is none.
macro_rules! tables {
    ($($type:ident: $kind:expr, $rule:literal, $fix:literal;)+) => {
        $(impl Setting for $type {
            const KIND: Kind = $kind;

            fn read(node: &Node, key: &str, findings: &mut Findings) -> Result<Self, Reported> {
                match &node.value {
                    Value::Table(table) => Ok($type(table.clone())),
                    _ => Err(wrong_kind(findings, key, node, ($rule, $fix))),
                }
            }
        })+
    };
}

tables! {
    PortTable: Kind::Ports, "`ports` is a table",
        "write ports = { proxy = 32125, gateway = 18789 }";
    OpenClawTable: Kind::Table, "`openclaw` is a table",
        "write [server.openclaw] above OpenClaw's settings";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_netvm_is_a_netvm() {
        assert!("none".parse::<Netvm>().unwrap().0.is_none());
        assert!("".parse::<Netvm>().unwrap().0.is_none());
        assert!("sys-net".parse::<Netvm>().unwrap().0.is_some());
        // Qubes keeps this one for itself.
        assert!("None".parse::<Netvm>().is_err());
        assert!("-".parse::<Netvm>().is_err());
    }
}
