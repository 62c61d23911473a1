// SPDX-License-Identifier: MIT OR Apache-2.0

//! The settings that OpenClaw [`VERSION`](super::VERSION) has, as far as a configuration may add
//! them by the rules of [`safety`](super::safety): where each is, of which kinds its value may be,
//! and what it means.
//!
//! OpenClaw takes many settings of earlier versions for newer ones that they became, so that a
//! rule for the newer name would not hold for the older one. So what is not listed is refused.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::meaning::Meaning;
use super::path::{Path, Step};

/// From `openclaw config schema`: words with dots between them, where `*` is any name, `[]` an item
/// of an array, and `**` whatever follows; then the kinds of value, and the meaning. The tests hold
/// it to the real schema.
static LIST: &str = include_str!("settings.txt");

/// Where OpenClaw's schema takes whatever there is, a few settings that are known to do no harm,
/// each with the reason.
static FREE_FORM: &[(&str, &str)] = &[
    (
        "agents.defaults.models.*.params.cacheRetention \"none\"|\"short\"|\"long\" plain",
        CACHE,
    ),
    (
        "agents.defaults.models.*.params.maxTokens number plain",
        LENGTH,
    ),
    (
        "agents.defaults.models.*.params.temperature number plain",
        WARMTH,
    ),
    (
        "agents.defaults.params.cacheRetention \"none\"|\"short\"|\"long\" plain",
        CACHE,
    ),
    ("agents.defaults.params.maxTokens number plain", LENGTH),
    ("agents.defaults.params.temperature number plain", WARMTH),
    (
        "agents.entries.*.models.*.params.cacheRetention \"none\"|\"short\"|\"long\" plain",
        CACHE,
    ),
    (
        "agents.entries.*.models.*.params.maxTokens number plain",
        LENGTH,
    ),
    (
        "agents.entries.*.models.*.params.temperature number plain",
        WARMTH,
    ),
    (
        "agents.entries.*.params.cacheRetention \"none\"|\"short\"|\"long\" plain",
        CACHE,
    ),
    ("agents.entries.*.params.maxTokens number plain", LENGTH),
    ("agents.entries.*.params.temperature number plain", WARMTH),
];
const CACHE: &str = "how long the server's own provider keeps what it was sent already";
const LENGTH: &str = "a number: how long an answer may be";
const WARMTH: &str = "a number: how much answers vary";

static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    let written = LIST.lines().filter(|line| !line.starts_with('#'));
    let free_form = FREE_FORM.iter().map(|(line, _)| *line);
    written.chain(free_form).map(Setting::read).collect()
});

/// The settings by their first word and how many words they have, since each value of a
/// configuration is looked up several times; those that end with `**` by no number.
static BY_LENGTH: LazyLock<HashMap<Length, Vec<&Setting>>> = LazyLock::new(|| {
    let mut found: HashMap<Length, Vec<_>> = HashMap::new();
    for setting in all() {
        let words: Vec<_> = setting.words.split('.').collect();
        let length = (words.last() != Some(&"**")).then_some(words.len());
        found.entry((words[0], length)).or_default().push(setting);
    }
    found
});

/// A first word, and how many words there are.
type Length = (&'static str, Option<usize>);

/// A setting that OpenClaw has.
#[derive(Debug)]
pub struct Setting {
    /// Where it is.
    pub words: &'static str,
    /// The kinds of value that it takes.
    pub kinds: Kinds,
    /// What it means.
    pub meaning: Meaning,
}

impl Setting {
    fn read(line: &'static str) -> Setting {
        let mut columns = line.split(' ');
        let mut column = || columns.next().expect("a setting has three columns");
        Setting {
            words: column(),
            kinds: Kinds(column()),
            meaning: Meaning::named(column()).expect("a meaning has a name"),
        }
    }
}

/// Kinds of value with `|` between them: `text`, `number`, `boolean`, `list`, `table`,
/// `reference` (to a secret), `null`, `any`, or a fixed value as JSON.
#[derive(Clone, Copy, Debug)]
pub struct Kinds(&'static str);

impl Kinds {
    fn each(self) -> impl Iterator<Item = &'static str> {
        self.0.split('|')
    }

    /// Whether this is one of them.
    pub fn has(self, kind: &str) -> bool {
        self.each().any(|known| known == kind)
    }

    /// Whether a value is of one of them.
    pub fn admit(self, value: &Value) -> bool {
        let is_of_kind = match value {
            Value::Null => self.has("null"),
            Value::Bool(boolean) => self.has("boolean") || self.has(&boolean.to_string()),
            Value::Number(number) => self.has("number") || self.has(&number.to_string()),
            Value::String(text) => self.has("text") || self.fix(text),
            Value::Array(_) => self.has("list"),
            Value::Object(_) => self.has("table") || self.has("reference"),
        };
        is_of_kind || self.has("any")
    }

    /// Whether a text is one of the fixed ones, and no other.
    pub fn fix(self, text: &str) -> bool {
        self.words().any(|word| word == text)
    }

    /// The fixed texts.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        self.each()
            .filter_map(|kind| kind.strip_prefix('"')?.strip_suffix('"'))
    }

    /// What they are, for a person.
    pub fn say(self) -> String {
        let say = |kind| match kind {
            "boolean" => "true or false",
            "list" => "a list",
            "number" => "a number",
            "reference" => "a reference to a secret",
            "table" => "a table",
            "text" => "text",
            other => other,
        };
        let said: Vec<_> = self.each().map(say).collect();
        match said.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }
}

/// The settings, one by one.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter()
}

/// The setting, or the table around settings, that is there in OpenClaw.
pub fn find(path: &Path) -> Option<&'static Setting> {
    let first = path.key(0)?;
    [Some(path.0.len()), None]
        .into_iter()
        .filter_map(|length| BY_LENGTH.get(&(first, length)))
        .flatten()
        .filter_map(|setting| Some((path.fits(setting.words)?, *setting)))
        .max_by_key(|(literal, _)| *literal)
        .map(|(_, setting)| setting)
}

/// What is called like a setting's last word in the table around it.
pub fn around(path: &Path) -> impl Iterator<Item = &'static str> {
    let table = Path(path.0[..path.0.len().saturating_sub(1)].to_vec());
    all()
        .filter_map(|setting| setting.words.rsplit_once('.'))
        .filter(move |(before, _)| table.fits(before).is_some())
        .map(|(_, word)| word)
        .filter(|word| !["*", "**", "[]"].contains(word))
}

/// The path of words with dots between them; a name that stands for any is `stand_in`.
pub fn example(words: &str, stand_in: &str) -> Path {
    let step = |word| match word {
        "[]" => Step::Item(0),
        "*" | "**" => Step::Key(stand_in.to_owned()),
        name => Step::Key(name.to_owned()),
    };
    Path(words.split('.').map(step).collect())
}
