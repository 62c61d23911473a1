// SPDX-License-Identifier: MIT OR Apache-2.0

//! Secrets in a configuration, and what OpenClaw takes for a reference to one.

use serde_json::Value;

use super::path::Path;
use crate::provider;

/// The settings that OpenClaw's documentation lists as places for references to secrets.
static LIST: &str = include_str!("secrets.txt");

/// The settings that may hold a reference, one by one.
pub fn all() -> impl Iterator<Item = &'static str> {
    LIST.lines().filter(|line| !line.starts_with('#'))
}

/// Whether a setting may hold a reference to a secret.
pub fn may_refer(path: &Path) -> bool {
    all().any(|words| path.fits(words).is_some())
}

/// The variables of the environment that OpenClaw would take for parts of a text.
///
/// `${NAME}` anywhere, as OpenClaw's `env-substitution` has it. With another `$` before it, it
/// becomes the text `${NAME}`, which is a reference where a secret belongs. The whole text may be
/// `$NAME` or one of two markers of earlier versions, for settings that hold secrets. OpenClaw
/// reads a text from front to back; this finds some that it would not reach, and no fewer.
pub fn references(text: &str) -> Vec<&str> {
    let within = text.match_indices("${").filter_map(|(at, _)| {
        let rest = &text[at + 2..];
        rest.split_once('}').map(|(name, _)| name)
    });
    // JavaScript's idea of space; Rust's lacks the last one.
    let whole = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let whole = ["$", "secretref-env:", "__env__:"]
        .into_iter()
        .filter_map(|prefix| whole.strip_prefix(prefix));
    within
        .chain(whole)
        .filter(|name| is_variable(name))
        .collect()
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The variable of the formula's own that a value leads to: the gateway's token, or a provider's
/// key, whether or not the server uses the provider.
pub fn formula_variable(value: &Value) -> Option<&'static str> {
    let mut own = provider::variables();
    match value {
        Value::String(text) => {
            let named = references(text);
            own.find(|variable| named.contains(variable))
        }
        // Of whichever source: the file could be a copy, the store could have been filled from it.
        Value::Object(reference) => {
            let id = reference.get("id").and_then(Value::as_str)?;
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            own.find(|variable| id.split(|c| !is_word(c)).any(|word| word == *variable))
        }
        _ => None,
    }
}

/// Whether a value is a reference, and nothing but one, perhaps with a word such as `Bearer`
/// before it.
pub fn is_reference(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::String(text) => {
            let variable = match text.split_once(' ') {
                Some((word, rest)) if word.chars().all(|c| c.is_ascii_alphabetic()) => rest,
                _ => text,
            };
            let name = variable
                .strip_prefix("${")
                .and_then(|rest| rest.strip_suffix('}'))
                .or_else(|| variable.strip_prefix('$'));
            name.is_some_and(is_variable)
        }
        _ => false,
    }
}

/// Whether a value is a secret, by its own look or by its setting's name. A reference is none.
pub fn is_secret(path: &Path, value: &Value) -> bool {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(reference) => {
            let id = reference.get("id").and_then(Value::as_str);
            return id.is_some_and(looks_secret);
        }
        _ => return false,
    };
    !text.is_empty() && !is_reference(value) && (is_for_secrets(path) || looks_secret(&text))
}

/// Whether a setting is there to hold a secret.
fn is_for_secrets(path: &Path) -> bool {
    let name = path.name();
    let inner = |part: &str| path.has(part) && name != part;
    names_a_secret(name)
        || inner("headers")
        || inner("auth") && name == "value"
        || inner("tls") && ["ca", "cert", "key"].contains(&name)
}

/// Whether a name is one of what holds a secret, in any case, with `-` or `_` in it or not.
pub fn names_a_secret(name: &str) -> bool {
    const ENDS: [&str; 12] = [
        "token",
        "secret",
        "password",
        "passphrase",
        "apikey",
        "privatekey",
        "encryptkey",
        "accesskey",
        "authtag",
        "serviceaccount",
        "cookie",
        "credential",
    ];
    let mut name = name.to_ascii_lowercase();
    name.retain(|c| c != '_' && c != '-');
    ENDS.iter().any(|end| name.ends_with(end))
}

/// What the keys of well-known services begin with.
const KEY_PREFIXES: [&str; 22] = [
    "AIza",
    "AKIA",
    "eyJ",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "gsk_",
    "hf_",
    "npm_",
    "nsec1",
    "pplx-",
    "sk-",
    "sk_",
    "tvly-",
    "xai-",
    "xapp-",
    "xoxb-",
    "xoxp-",
    "ya29.",
];

/// Whether a text is a secret by its look.
pub fn looks_secret(text: &str) -> bool {
    // A key does not hide in a longer text, either.
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-.:".contains(c)));
    words.into_iter().any(is_key) || has_password(text) || text.contains("-----BEGIN ")
}

fn is_key(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let key = word.len() >= 20
        && word.chars().all(plain)
        && KEY_PREFIXES.iter().any(|prefix| word.starts_with(prefix));
    // A Telegram bot's.
    let bot = word.split_once(':').is_some_and(|(id, rest)| {
        id.len() >= 6
            && id.chars().all(|c| c.is_ascii_digit())
            && rest.len() >= 30
            && rest.chars().all(plain)
    });
    key || bot
}

/// Whether a URL has a password before its host.
fn has_password(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        rest[..end]
            .split_once('@')
            .is_some_and(|(user, _)| user.contains(':') && !user.contains("${"))
    })
}
