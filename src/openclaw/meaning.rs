// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a setting of OpenClaw's means, and which texts are harmless with that meaning.
//!
//! Each text is judged as OpenClaw will read it. Where it trims, cuts prefixes or looks a name up,
//! the rule here is a form that leaves it nothing to trim, cut or look up.

use serde_json::Value;

use super::path::Path;
use super::why::{self, Why};

/// What a person found a setting to mean, in `settings.txt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Nobody has judged it: refused.
    New,
    /// A table or a list, which is judged by what is in it.
    Inner,
    /// Numbers, switches and fixed words, none of which does harm.
    Plain,
    /// One of fixed words that say who may talk to the agent.
    Policy,
    /// Whom somebody is, or a list of them: ids of people or chats.
    People,
    /// What a rule looks for: a name, or `*`.
    Match,
    /// A name of something in OpenClaw, a time or an amount.
    Name,
    /// A few words that are shown.
    Label,
    /// A text that the model obeys.
    Orders,
    /// A tool that the agent may use.
    Tool,
    /// A model, with its provider.
    Model,
    /// A name of a model without its provider: an alias, or a model of the provider that is chosen
    /// beside it.
    ModelId,
    /// A provider of models.
    Provider,
    /// A service that searches or fetches.
    Searcher,
    /// A folder to work in.
    Folder,
    /// A pattern of files in a folder.
    Pattern,
    /// A file that secrets are read from.
    SecretFile,
    /// A secret.
    Secret,
    /// Where something is sent.
    Place,
    /// Whatever OpenClaw, or a plugin of it, takes it for.
    Closed,
}

impl Meaning {
    /// The meaning of this name.
    pub fn named(name: &str) -> Option<Meaning> {
        Some(match name {
            "new" => Meaning::New,
            "-" => Meaning::Inner,
            "plain" => Meaning::Plain,
            "policy" => Meaning::Policy,
            "people" => Meaning::People,
            "match" => Meaning::Match,
            "name" => Meaning::Name,
            "label" => Meaning::Label,
            "orders" => Meaning::Orders,
            "tools" => Meaning::Tool,
            "model" => Meaning::Model,
            "model-id" => Meaning::ModelId,
            "provider" => Meaning::Provider,
            "searcher" => Meaning::Searcher,
            "folder" => Meaning::Folder,
            "pattern" => Meaning::Pattern,
            "file" => Meaning::SecretFile,
            "secret" => Meaning::Secret,
            "place" => Meaning::Place,
            "closed" => Meaning::Closed,
            _ => return None,
        })
    }

    /// Why a value that is no table must not have this meaning. `managed` is what the formula sets
    /// in the server.
    pub fn object(self, path: &Path, value: &Value, managed: &Value) -> Option<&'static Why> {
        match (self, value) {
            (Meaning::New, _) => Some(&why::NEW),
            (Meaning::Closed, _) => Some(closed(path)),
            (Meaning::Place, _) => Some(&why::SENDS),
            // OpenClaw takes an empty list of people for no list, and lets everybody in.
            (Meaning::People, Value::Array(items)) => items.is_empty().then_some(&why::OPEN),
            (_, Value::String(text)) => self.object_to_text(path, text, managed),
            _ => None,
        }
    }

    /// Why a text must not have this meaning: a value, or the name of a table that stands for one.
    pub fn object_to_text(self, path: &Path, text: &str, managed: &Value) -> Option<&'static Why> {
        let unless = |harmless: bool, why| (!harmless).then_some(why);
        match self {
            Meaning::Policy => unless(
                ["pairing", "allowlist", "disabled", "off", "dm"].contains(&text),
                &why::OPEN,
            ),
            Meaning::People if text.contains('*') => Some(&why::OPEN),
            Meaning::People => unless(is_id(text), &why::NOBODY),
            Meaning::Match => unless(text == "*" || is_name(text), &why::NAME),
            Meaning::Name => unless(text.is_empty() || is_name(text), &why::NAME),
            Meaning::Label => unless(is_label(text), &why::LABEL),
            Meaning::Orders => unless(text.is_empty(), &why::ORDERS),
            Meaning::Tool => unless(is_id(text), &why::ALL_TOOLS),
            Meaning::Model => object_to_model(path, text, managed),
            Meaning::ModelId => unless(is_id(text), &why::OTHER_MODEL),
            Meaning::Provider => unless(is_own(text, managed), &why::OTHER_PROVIDER),
            Meaning::Searcher => unless(is_own(text, managed), &why::OTHER_SEARCH),
            Meaning::Folder => unless(is_for_work(text), &why::FOLDER),
            Meaning::Pattern => unless(is_pattern(text), &why::PATTERN),
            Meaning::SecretFile => unless(is_secret_file(text), &why::SECRET_FILE),
            Meaning::New => Some(&why::NEW),
            Meaning::Closed => Some(closed(path)),
            Meaning::Place => Some(&why::SENDS),
            Meaning::Inner | Meaning::Plain | Meaning::Secret => None,
        }
    }
}

/// Why what is closed is closed, as far as its name tells.
fn closed(path: &Path) -> &'static Why {
    match path.name() {
        "alsoAllow" => &why::MAY,
        "backend" => &why::RUNS,
        "extensionPath" => &why::RUNS,
        "modelPath" | "pickerRuntimes" => &why::FETCHED,
        _ if path.has("headers") => &why::SENDS,
        "tokenFile" | "webhookCertPath" => &why::SENDS,
        "webhookPath" => &why::REACH,
        _ => &why::UNKNOWN,
    }
}

/// Only what OpenClaw neither trims nor splits: not even `telegram:*` is left.
fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_@+.:-".contains(c))
}

/// An id, or such as `Europe/Berlin` or `agent:main:main`, which is neither a path nor a place.
fn is_name(text: &str) -> bool {
    text.len() <= 100 && !text.contains("..") && text.split('/').all(is_id)
}

fn is_label(text: &str) -> bool {
    text.chars().count() <= 100
        && !text.contains("://")
        && !text
            .chars()
            .any(|c| c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c))
}

/// A provider of the server's, or none at all.
fn is_own(text: &str, managed: &Value) -> bool {
    ["", "none"].contains(&text) || is_provider(text, managed)
}

fn is_provider(text: &str, managed: &Value) -> bool {
    match managed["models"]["providers"].as_object() {
        Some(own) => own.contains_key(text),
        // Where another key of the server is in error, its providers are not known.
        None => true,
    }
}

/// OpenClaw looks a model up among the aliases first, in lower case, then guesses the provider of
/// one without. So it has a provider of the server's, and no alias has a `/`.
fn object_to_model(path: &Path, text: &str, managed: &Value) -> Option<&'static Why> {
    if path.name() == "utilityModel" && text.is_empty() {
        return None;
    }
    let Some((provider, model)) = text.split_once('/') else {
        return Some(&why::OTHER_MODEL);
    };
    if !is_provider(provider, managed) {
        return Some(&why::OTHER_PROVIDER);
    }
    // A `@` names an account of the provider's.
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.:/+-".contains(c);
    let pattern = path.has("modelPolicy") && model == "*";
    if !pattern && (model.is_empty() || !model.chars().all(plain)) {
        return Some(&why::OTHER_MODEL);
    }
    is_unrestricted(text, managed).then_some(&why::UNRESTRICTED)
}

/// Whether a model's provider has models whose tools the formula restricts, and this is none.
fn is_unrestricted(model: &str, managed: &Value) -> bool {
    let restricted = managed["tools"]["byProvider"].as_object();
    let provider = model.split_once('/').map(|(provider, _)| provider);
    let of_provider = |other: &String| provider == other.split_once('/').map(|(name, _)| name);
    restricted.is_some_and(|all| !all.contains_key(model) && all.keys().any(of_provider))
}

/// Whether a path is below the home of the qube's user, and in none of its folders that hold keys,
/// are run by the system, or are filled by other qubes.
///
/// OpenClaw trims a path, drops NUL, reads `~` as the home, and takes what is relative from where
/// it was started: that is no certain place.
fn is_for_work(text: &str) -> bool {
    let Some(below) = below_home(text) else {
        return false;
    };
    let mut parts = below.strip_suffix('/').unwrap_or(below).split('/');
    let plain = |c: char| c.is_alphanumeric() || "_ .+@-".contains(c);
    let visible = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', ' '])
            && !part.ends_with(' ')
            && part.chars().all(plain)
    };
    let first = parts.next().unwrap_or_default();
    let begins = if first == ".openclaw" {
        parts.next().is_some_and(|part| {
            part == "workspace"
                || part
                    .strip_prefix("workspace-")
                    .is_some_and(|name| visible(name) && is_id(name))
        })
    } else {
        // The last two hold programs.
        visible(first) && !["QubesIncoming", "bin", "go"].contains(&first)
    };
    begins && parts.all(visible)
}

fn below_home(text: &str) -> Option<&str> {
    text.strip_prefix("~/")
        .or_else(|| text.strip_prefix("/home/user/"))
}

fn is_pattern(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(['/', '~', '\\'])
        && !text.contains("://")
        && text
            .split(['/', '\\'])
            .all(|part| part != ".." && part == part.trim())
        && !text.chars().any(char::is_control)
}

fn is_secret_file(text: &str) -> bool {
    below_home(text) == Some(".openclaw/secrets.json")
}
