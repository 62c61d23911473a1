// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which settings of OpenClaw a configuration may add, and why others need a person to insist.
//!
//! OpenClaw has thousands of settings, and each version more: `rules` names the
//! parts that do no harm, [`settings`] what each setting in them means, and what is not named is
//! refused. What a name or a value alone tells, such as a secret, is refused wherever it stands.

use serde_json::{Map, Value};

pub use super::path::{Path, Step};
use super::rules::{self, Verdict};
use super::secrets;
use super::settings::{self, Setting};
use super::why::{self, Reason, Why, because};
use super::{meaning::Meaning, renamed};
use crate::model::{Invalid, nearest, pick};

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

fn object(to: Path, why: &'static Why) -> Objection {
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

/// Objects to Telegram groups in which everybody may give the agent orders, since nobody is named:
/// OpenClaw takes a group that is listed, and no list of people, for leave to all of its members.
pub fn object_to_groups(settings: &Map<String, Value>) -> Vec<Objection> {
    let telegram = settings
        .get("channels")
        .map_or(&Value::Null, |channels| &channels["telegram"]);
    let names_people = |scope: &Value| {
        let lists = ["groupAllowFrom", "allowFrom"];
        lists.iter().any(|list| scope[*list].is_array())
    };
    if names_people(telegram) {
        return Vec::new();
    }
    let accounts = telegram["accounts"].as_object().into_iter().flatten();
    let scopes = accounts
        .filter(|(_, account)| !names_people(account))
        .map(|(name, account)| (vec!["accounts", name.as_str()], account));
    let mut found = Vec::new();
    for (words, scope) in scopes.chain([(Vec::new(), telegram)]) {
        for (name, group) in scope["groups"].as_object().into_iter().flatten() {
            if !group["allowFrom"].is_array() {
                let words = [&["channels", "telegram"], &*words, &["groups", name]].concat();
                let steps = words.into_iter().map(|word| Step::Key(word.to_owned()));
                found.push(object(Path(steps.collect()), &why::OPEN));
            }
        }
    }
    found
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
fn judged(path: &Path) -> Option<&'static Setting> {
    lets_through(path).then(|| settings::find(path)).flatten()
}

/// Says that OpenClaw's configuration has no part of this name.
pub fn refuse_part(name: &str) -> Option<Invalid> {
    let parts: Vec<_> = parts().collect();
    let path = Path(vec![Step::Key(name.to_owned())]);
    (!parts.contains(&name)).then(|| {
        refuse_older(&path).unwrap_or_else(|| {
            Invalid::new(
                format!("OpenClaw has no settings \"{}\"", name.escape_debug()),
                "unknown settings",
                format!(
                    "the parts of OpenClaw's configuration are {}",
                    parts.join(", ")
                ),
                pick(name, &parts),
            )
        })
    })
}

/// Says what a setting of an earlier version is called now.
fn refuse_older(path: &Path) -> Option<Invalid> {
    let newer = renamed::newer(path)?;
    Some(Invalid::new(
        format!("`{path}` has another name now"),
        "of an earlier version",
        format!(
            "OpenClaw {} takes settings of earlier versions for what they became",
            super::VERSION
        ),
        format!("write `{newer}`"),
    ))
}

/// Whether a setting is refused for no reason but its value.
pub fn lets_through(path: &Path) -> bool {
    !matches!(rules::verdict(path), None | Some((_, Verdict::Refused(_))))
}

/// Says that OpenClaw has no such setting, where it is not refused in any case, or another name
/// for it.
pub fn refuse_unknown(path: &Path) -> Option<Invalid> {
    if let Some(older) = refuse_older(path) {
        return Some(older);
    }
    if !lets_through(path) || settings::find(path).is_some() {
        return None;
    }
    Some(Invalid::new(
        format!("OpenClaw has no setting `{path}`"),
        "unknown setting",
        format!(
            "OpenClaw {} knows its own settings only; it refuses others, or takes them for what \
             they became",
            super::VERSION
        ),
        match nearest(path.name(), settings::around(path)) {
            Some(name) => format!("write `{name}`"),
            None => "see https://docs.openclaw.ai for the settings".to_owned(),
        },
    ))
}

/// Says that a value is of another kind than what the formula has there, or than OpenClaw takes,
/// whoever insists.
pub fn refuse_kind(path: &Path, value: &Value, managed: &Value) -> Option<Invalid> {
    refuse_shape(path, value, managed).or_else(|| {
        let kinds = judged(path)?.kinds;
        (!kinds.admit(value)).then(|| {
            let fix = value
                .as_str()
                .and_then(|text| nearest(text, kinds.words()))
                .map_or_else(
                    || "see https://docs.openclaw.ai for the settings".to_owned(),
                    |word| format!("write \"{word}\""),
                );
            Invalid::new(
                format!("`{path}` is of another kind"),
                format!("{} is wanted", kinds.say()),
                format!(
                    "OpenClaw {} refuses a configuration that is not as its schema has it",
                    super::VERSION
                ),
                fix,
            )
        })
    })
}

fn refuse_shape(path: &Path, value: &Value, managed: &Value) -> Option<Invalid> {
    let mut found = managed;
    for (number, step) in path.0.iter().enumerate() {
        let Step::Key(key) = step else { break };
        match found {
            Value::Object(entries) => found = entries.get(key)?,
            _ => return Some(mismatched(&path.first(number), "not a table")),
        }
    }
    (found.is_object() && !value.is_object()).then(|| mismatched(path, "a table"))
}

fn mismatched(path: &Path, kind: &str) -> Invalid {
    Invalid::new(
        format!("`{path}` is {kind}"),
        format!("{kind} in OpenClaw's configuration"),
        "extra settings are merged into those of the formula, table by table",
        "see https://docs.openclaw.ai for the settings",
    )
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

/// Whether a text lets everybody in, in a part in which `*` and `open` are people. OpenClaw trims,
/// and cuts a channel's name in front.
fn opens(path: &Path, text: &str) -> bool {
    const PARTS: [&str; 4] = ["accessGroups", "channels", "commands", "tools"];
    let space = |c: char| c.is_whitespace() || c == '\u{feff}';
    let last = text.rsplit(':').next().unwrap_or_default();
    PARTS.contains(&path.key(0).unwrap_or_default())
        && ["*", "open"].contains(&last.trim_matches(space).to_lowercase().as_str())
}

/// Whether a setting names a program, or what is given to one.
fn runs_programs(path: &Path) -> bool {
    const NAMES: [&str; 8] = [
        "args",
        "cliPath",
        "command",
        "executablePath",
        "extensionPath",
        "installCommand",
        "mcpCommand",
        "pathPrepend",
    ];
    // Telegram's menu has commands of another kind, and secrets have a source called so.
    NAMES.contains(&path.name()) && !path.has("customCommands")
        || path.has("env") && path.key(0) != Some("secrets")
}

/// Whether a binding hands what is said to another program, by the agent client protocol.
fn binds_to_program(path: &Path, text: &str) -> bool {
    path.key(0) == Some("bindings") && path.name() == "type" && text == "acp"
}

fn has_dangerous_name(path: &Path) -> bool {
    const WORDS: [&str; 5] = [
        "dangerous",
        "insecure",
        "unsafe",
        "skipverify",
        "allowprivatenetwork",
    ];
    path.0.iter().any(|step| {
        let Step::Key(key) = step else { return false };
        let lower = key.to_ascii_lowercase();
        WORDS.iter().any(|word| lower.contains(word))
    })
}

/// Settings that name a place, and yet send nothing there.
static HARMLESS_PLACES: &[(&str, Reason)] = &[(
    "tools.web.search.openaiCodex.allowedDomains.[]",
    because("takes sites away: only what is listed is searched"),
)];

/// Why a setting that names a place does no harm.
fn harmless_place(path: &Path) -> Option<&'static str> {
    HARMLESS_PLACES
        .iter()
        .find(|(words, _)| path.fits(words).is_some())
        .map(|(_, reason)| reason.0)
}

/// Whether a name has a word for a place in it, however it is spelt: `baseUrl`, `API_HOST`,
/// `azure-endpoint`, `proxyurl`.
pub fn names_a_place(name: &str) -> bool {
    const WORDS: [&str; 10] = [
        "address", "domain", "endpoint", "host", "hostname", "origin", "proxy", "server", "uri",
        "url",
    ];
    let is_place = |word: &str| {
        let one = word.strip_suffix('s').unwrap_or(word);
        let forms = [word, one, word.strip_suffix("es").unwrap_or(word)];
        let of_several = word.strip_suffix("ies").map(|stem| format!("{stem}y"));
        WORDS.iter().any(|place| {
            forms.iter().any(|form| form.ends_with(place)) || of_several.as_deref() == Some(*place)
        })
    };
    let mut spread = String::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            spread.push(' ');
        }
        spread.push(if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            ' '
        });
        before = c;
    }
    let whole: String = spread.split(' ').collect();
    is_place(&whole) || spread.split(' ').any(is_place)
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

    #[test]
    fn names_of_places_are_known_however_they_are_spelt() {
        for name in [
            "url",
            "URL",
            "baseUrl",
            "base_url",
            "azure-endpoint",
            "API_HOST",
            "proxyurl",
            "callbackURIs",
            "hostnames",
            "allowedOrigins",
            "proxies",
            "addresses",
        ] {
            assert!(names_a_place(name), "{name}");
        }
        for name in [
            "",
            "hour",
            "curled",
            "security",
            "mode",
            "ghosted",
            "serverless",
        ] {
            assert!(!names_a_place(name), "{name}");
        }
    }

    #[test]
    fn groups_need_somebody_named() {
        let open = |telegram: Value| {
            let settings = json!({ "channels": { "telegram": telegram } });
            let objections = object_to_groups(settings.as_object().unwrap());
            let paths = objections.iter().map(|it| it.to.to_string());
            paths.collect::<Vec<_>>()
        };
        let groups = json!({ "-1": {}, "-2": { "allowFrom": [7] } });
        assert_eq!(
            open(json!({ "groups": groups })),
            ["channels.telegram.groups.-1"]
        );
        assert_eq!(open(json!({ "groups": groups, "allowFrom": [7] })), [""; 0]);
        assert_eq!(open(json!({ "groups": groups, "allowFrom": 7 })).len(), 1);
        assert_eq!(
            open(
                json!({ "accounts": { "a": { "groups": groups }, "b": { "groupAllowFrom": [] } } })
            ),
            ["channels.telegram.accounts.a.groups.-1"]
        );
    }

    #[test]
    fn a_table_stays_one() {
        let refused =
            |path: &str, value: Value| refuse_kind(&at(path), &value, &managed()).is_some();
        assert!(refused("gateway", json!(1)));
        assert!(refused("gateway.port.x", json!(1)));
        assert!(!refused("gateway.auth", json!({})));
    }
}
