// SPDX-License-Identifier: MIT OR Apache-2.0

//! Why a person must insist on a setting of OpenClaw's before a configuration may add it.
//!
//! OpenClaw has thousands of settings, and each version more: `rules` names the
//! parts that do no harm, [`settings`] what each setting in them means, and what is not named is
//! refused. What a name or a value alone tells, such as a secret, is refused wherever it stands.

use serde_json::Value;

use super::meaning::Meaning;
use super::names::{
    binds_to_program, harmless_place, has_dangerous_name, names_a_place, opens, runs_programs,
};
pub use super::path::{Path, Step};
use super::rules::{self, Verdict};
use super::secrets;
use super::settings::{self, Setting};
use super::why::{self, Why};
use crate::model::Invalid;

pub use super::rules::{all as rules, parts};

/// Why a setting is refused unless a person insists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// What is refused: the setting, or a table around it.
    pub to: Path,
    /// In a few words.
    pub label: &'static str,
    /// The rule that it breaks.
    pub rule: &'static str,
    /// What to do instead.
    pub instead: Option<&'static str>,
}

pub(super) fn object(to: Path, why: &'static Why) -> Objection {
    Objection {
        to,
        label: why.label,
        rule: why.rule,
        instead: why.instead,
    }
}

/// Objects to a setting for what it is: a value that is neither a table nor in an array. `managed`
/// is what the formula sets in this server.
pub fn object_to_setting(path: &Path, value: &Value, managed: &Value) -> Option<Objection> {
    if value.as_object().is_some_and(serde_json::Map::is_empty) {
        return None;
    }
    if is_managed(path, value, managed) {
        let why = match path.to_string().as_str() {
            "gateway.port" => &why::MANAGED_PORT,
            "gateway.bind" | "gateway.customBindHost" => &why::MANAGED_MODE,
            "gateway.tls.enabled" => &why::MANAGED_TLS,
            "agents.defaults.model.primary" => &why::MANAGED_MODEL,
            _ => &why::MANAGED,
        };
        return Some(object(path.clone(), why));
    }
    let (rule, verdict) = rules::verdict(path)?;
    let why = match verdict {
        Verdict::Free(_) => return object_to_meaning(path, value, managed),
        Verdict::Only(values, why) => {
            let text = value.as_str().map_or(value.to_string(), str::to_owned);
            if values.contains(&text.as_str()) {
                return None;
            }
            why
        }
        Verdict::Refused(why) => why,
    };
    let whole = rule.ends_with('*');
    let steps = if whole {
        rules::words(rule)
    } else {
        path.0.len()
    };
    Some(object(path.first(steps), why))
}

/// Objects to a name or a value that tells by itself: a value that is no table or array, wherever
/// it is; a reference to a secret is one value, by its id. `managed` is what the formula sets in
/// this server.
pub fn object_to_value(path: &Path, value: &Value, managed: &Value) -> Option<Objection> {
    let text = value.as_str().unwrap_or_default();
    let included = |step: &Step| matches!(step, Step::Key(key) if key.starts_with('$'));
    let refers = !secrets::references(text).is_empty() || value.is_object();
    let is_place = names_a_place(path.name()) && !text.is_empty() && harmless_place(path).is_none();
    // Where all is refused, what it could do is said already, unless it is refused for where it
    // comes from.
    let let_through = lets_through(path);
    let may_send = let_through || rules::verdict(path).is_some_and(|(_, it)| is_fetched(it));
    let why = if secrets::is_secret(path, value) {
        &why::SECRET
    } else if path.0.iter().any(included) {
        &why::INCLUDE
    } else if has_dangerous_name(path) {
        &why::DANGEROUS
    } else if refers && !(secrets::may_refer(path) && secrets::is_reference(value)) {
        &why::REFERENCE
    } else if path.has("alsoAllow") {
        &why::MAY
    } else if !let_through && opens(path, text) {
        &why::OPEN
    } else if let_through && (runs_programs(path) || binds_to_program(path, text)) {
        &why::RUNS
    } else if may_send && is_place {
        &why::SENDS
    } else {
        return object_to_meaning(path, value, managed);
    };
    Some(object(path.clone(), why))
}

/// Objects to the name of a table, where it stands for a value.
pub fn object_to_table(path: &Path, managed: &Value) -> Option<Objection> {
    let setting = judged(path)?;
    let why = setting.meaning.object_to_text(path, path.name(), managed)?;
    let is_name = setting.words.ends_with(".*") && setting.kinds.has("table");
    is_name.then(|| object(path.clone(), why))
}

/// Objects to a value for what its setting means.
fn object_to_meaning(path: &Path, value: &Value, managed: &Value) -> Option<Objection> {
    let setting = judged(path)?;
    let text = value.as_str();
    let is_fixed = text.is_some_and(|text| setting.kinds.fix(text));
    if is_fixed && setting.meaning != Meaning::Policy {
        return None;
    }
    let why = setting.meaning.object(path, value, managed)?;
    // What is closed is so as a whole.
    let steps = match setting.words.strip_suffix("**") {
        Some(_) => rules::words(setting.words),
        None => path.0.len(),
    };
    Some(object(path.first(steps), why))
}

/// What is known of a setting that is not refused in any case.
pub(super) fn judged(path: &Path) -> Option<&'static Setting> {
    lets_through(path).then(|| settings::find(path)).flatten()
}

/// Whether a setting is refused for no reason but its value.
pub fn lets_through(path: &Path) -> bool {
    !matches!(rules::verdict(path), None | Some((_, Verdict::Refused(_))))
}

/// Says that a value leads to the gateway's token or a provider's key, whoever insists: nothing
/// but what the formula sets has use for them.
pub fn refuse_reference(path: &Path, value: &Value) -> Option<Invalid> {
    let variable = secrets::formula_variable(value)?;
    Some(Invalid::new(
        format!("`{path}` takes the formula's own {variable}"),
        "a key of the formula's",
        "the gateway's token and the providers' keys are used where the formula sets them, and \
         nowhere else: from anywhere else they could be shown or sent on",
        "leave it out, or write a secret of its own: { source = \"store\", provider = \
         \"default\", id = \"SOME_NAME\" }",
    ))
}

/// Whether the formula sets just this.
fn is_managed(path: &Path, value: &Value, managed: &Value) -> bool {
    let mut found = managed;
    for step in &path.0 {
        let Step::Key(key) = step else { return false };
        match found.get(key) {
            Some(value) => found = value,
            None => return false,
        }
    }
    !found.is_object() || value.is_object()
}

/// Whether this is refused for what is fetched for it, and not for what it does.
fn is_fetched(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Refused(why) if std::ptr::eq(why, &raw const why::FETCHED))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What the formula sets of a server's configuration.
    fn managed() -> Value {
        json!({ "gateway": { "port": 18789, "auth": { "mode": "token" } } })
    }

    /// The path of these words.
    fn at(words: &str) -> Path {
        let steps = words.split('.').map(|word| Step::Key(word.to_owned()));
        Path(steps.collect())
    }

    /// The label of what is objected to in a setting.
    fn label(path: &str, value: Value) -> Option<&'static str> {
        let path = at(path);
        object_to_setting(&path, &value, &managed())
            .or_else(|| object_to_value(&path, &value, &managed()))
            .map(|objection| objection.label)
    }

    #[test]
    fn what_the_formula_sets_is_not_added() {
        assert_eq!(
            label("gateway.port", json!(1)),
            Some(why::MANAGED_PORT.label)
        );
        assert_eq!(
            label("gateway.auth.mode", json!("none")),
            Some(why::MANAGED.label)
        );
    }

    #[test]
    fn a_value_tells_wherever_it_stands() {
        for (path, value, why) in [
            ("messages.responsePrefix", json!("${HOME}"), &why::REFERENCE),
            (
                "messages.responsePrefix",
                json!("$${HOME}"),
                &why::REFERENCE,
            ),
            (
                "messages.responsePrefix",
                json!({ "source": "env" }),
                &why::REFERENCE,
            ),
            ("messages.$include", json!("x"), &why::INCLUDE),
            ("ui.allowInsecureThings", json!(true), &why::DANGEROUS),
        ] {
            let found = label(path, value.clone());
            // Some are refused for what the setting is, which is said first.
            assert!(found.is_some(), "{path} = {value}");
            let said = object_to_value(&at(path), &value, &managed());
            assert_eq!(said.map(|it| it.label), Some(why.label), "{path} = {value}");
        }
    }
}
