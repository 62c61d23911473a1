// SPDX-License-Identifier: MIT OR Apache-2.0

//! Names of qubes and tags.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::Invalid;
use crate::states;

/// The longest name of a qube, in characters (`validate_name` of qubes-core-admin).
const MAX_LENGTH: usize = 31;

/// Names that Qubes refuses or reads as something else, in lower case: `dom0` is the
/// administrative domain, `none` and `default` are words of the qvm tools, the rest is refused
/// by `validate_name` of qubes-core-admin or taken by it for dom0's and Xen's own use.
const RESERVED: [&str; 5] = ["dom0", "domain-0", "none", "default", "lost+found"];

/// The name of any qube, by Qubes' rule (`validate_name` in qubes-core-admin's
/// `qubes/vm/__init__.py`): 1 to 31 characters, a letter first, then letters, digits, `_`, `.`
/// and `-`; not a reserved name, and not ending in `-dm`, which names stub domains.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct QubeName(String);

impl QubeName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name that this program itself proposes.
    ///
    /// # Panics
    /// If the name breaks the rule: such a name must not be written in this program.
    pub(crate) fn known(name: &str) -> Self {
        name.parse()
            .expect("a name in this program obeys Qubes' rule")
    }
}

impl fmt::Display for QubeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for QubeName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let shown = text.escape_debug();
        let invalid = |label: &str, rule: &str| {
            Invalid::new(
                format!("\"{shown}\" is not a name for a qube"),
                label,
                rule,
                format!("write a name such as \"{}\"", suggest(text)),
            )
        };
        const CHARACTERS: &str = "a qube's name is a letter, then letters, digits, `_`, `.` \
             and `-`, 31 characters at most";
        if text.is_empty() {
            return Err(invalid("empty", CHARACTERS));
        }
        if text.starts_with(|c: char| !c.is_ascii_alphabetic()) {
            return Err(invalid("does not start with a letter", CHARACTERS));
        }
        if let Some(bad) = text.chars().find(|c| !is_name_char(*c)) {
            return Err(invalid(
                &format!("the character {bad:?} is not allowed"),
                CHARACTERS,
            ));
        }
        if text.len() > MAX_LENGTH {
            return Err(invalid(
                &format!("{} characters long", text.len()),
                CHARACTERS,
            ));
        }
        let lower = text.to_ascii_lowercase();
        if RESERVED.contains(&lower.as_str()) {
            return Err(invalid(
                "a reserved name",
                "Qubes keeps this name for itself",
            ));
        }
        if lower.ends_with("-dm") {
            return Err(invalid(
                "ends in `-dm`",
                "Qubes names the stub domain of a qube by its name and `-dm`",
            ));
        }
        Ok(QubeName(text.to_owned()))
    }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// The nearest thing to `text` that is a name.
fn suggest(text: &str) -> String {
    let mut name: String = text
        .trim()
        .chars()
        .map(|c| if is_name_char(c) && c != '.' { c } else { '-' })
        .skip_while(|c| !c.is_ascii_alphabetic())
        .take(MAX_LENGTH)
        .collect();
    while name.to_ascii_lowercase().ends_with("-dm") {
        name.truncate(name.len() - 3);
    }
    let name = name.trim_end_matches('-');
    if name.is_empty() || RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        "openclaw-vm".to_owned()
    } else {
        name.to_owned()
    }
}

/// The name of a qube that the formula manages: a [`QubeName`] without a dot, because it is
/// also the name of a folder of states, and Salt separates the parts of a state's name by dots;
/// not that of a disposable, `disp` and a number, because such qubes come and go; and not one that
/// could be the id of one of the formula's own states.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ManagedQube(QubeName);

impl ManagedQube {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name as that of any qube.
    pub fn as_qube(&self) -> &QubeName {
        &self.0
    }

    /// The seed's own name for the server.
    pub fn proposed() -> Self {
        ManagedQube(QubeName::known("openclaw-vm"))
    }
}

impl fmt::Display for ManagedQube {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ManagedQube {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let name: QubeName = text.parse()?;
        if text.contains('.') {
            return Err(Invalid::new(
                format!("\"{text}\" cannot be managed by Salt"),
                "has a dot",
                "Salt separates the parts of a state's name by dots, and each managed qube has \
                 states of its own",
                format!("write a name such as \"{}\"", suggest(text)),
            ));
        }
        let digits = text.strip_prefix("disp").unwrap_or_default();
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Invalid::new(
                format!("\"{text}\" is the name of a disposable"),
                "a disposable's name",
                "Qubes names disposables `disp` and a number; they are gone when they stop",
                "write the name of a qube that stays",
            ));
        }
        if text == states::FILES {
            return Err(Invalid::new(
                format!("\"{text}\" is a folder of the formula"),
                "a folder's name",
                "each managed qube has a folder of its own in the formula, beside the folder of the \
                 files for all servers",
                "write a name such as \"openclaw-vm\"",
            ));
        }
        if states::is_id(text) {
            return Err(Invalid::new(
                format!("\"{text}\" is the name of a state"),
                "a state's name",
                "the formula names its states `openclaw-`, a part such as `create`, and more; Salt \
                 does not tell a state's name from a qube's",
                "write a name such as \"openclaw-vm\"",
            ));
        }
        Ok(ManagedQube(name))
    }
}

/// A tag of a qube (`validate_tag` of qubes-core-admin): letters, digits, `_` and `-`. As this
/// tool's own limit, 64 characters at most and no leading `-`, which the qvm tools would take
/// for an option.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Tag(String);

impl Tag {
    const MAX_LENGTH: usize = 64;

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag of the clients of a server that is the only one.
    pub fn client() -> Self {
        Tag("openclaw-client".to_owned())
    }

    /// The tag of the clients of one server among several.
    pub fn client_of(server: &ManagedQube) -> Self {
        Tag(format!("openclaw-client-{server}"))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |label: String| {
            Invalid::new(
                format!("\"{}\" is not a tag", text.escape_debug()),
                label,
                "a tag is made of letters, digits, `_` and `-`, begins with no `-`, and has 64 \
                 characters at most",
                "write a tag such as \"openclaw-client\"",
            )
        };
        if text.is_empty() {
            return Err(invalid("empty".to_owned()));
        }
        if let Some(bad) = text
            .chars()
            .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
        {
            return Err(invalid(format!("the character {bad:?} is not allowed")));
        }
        if text.starts_with('-') {
            return Err(invalid("begins with `-`".to_owned()));
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(invalid(format!("{} characters long", text.len())));
        }
        if let Some(maker) = ["created-by-", "disp-created-by-", "audiovm-", "guivm-"]
            .into_iter()
            .find(|prefix| text.starts_with(prefix))
        {
            return Err(Invalid::new(
                format!("\"{text}\" is a tag that Qubes sets itself"),
                format!("begins with `{maker}`"),
                "Qubes keeps the tags `created-by-*`, `disp-created-by-*`, `audiovm-*` and \
                 `guivm-*` up to date by itself",
                "write a tag such as \"openclaw-client\"",
            ));
        }
        Ok(Tag(text.to_owned()))
    }
}
