// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which settings of OpenClaw a configuration may add, and why others need a person to insist.
//!
//! OpenClaw has thousands of settings, and each version more: [`RULES`] names the parts that do no
//! harm, and what is not named is refused. What a name or a value alone tells, such as a secret,
//! is refused wherever it stands.

use std::fmt;

use serde_json::Value;

use super::settings;
use crate::model::{Invalid, nearest, pick};

/// One step from `openclaw.json` into a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a table, by the name of an entry.
    Key(String),
    /// Into an array, by position.
    Item(usize),
}

/// Where a setting is: `gateway.auth.mode`, as TOML writes dotted keys. What does not stand as it
/// is in TOML is quoted; items of arrays are counted from 0, `hooks.mappings[0]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

impl Path {
    fn key(&self, at: usize) -> Option<&str> {
        match self.0.get(at) {
            Some(Step::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// The name of the innermost table entry.
    fn name(&self) -> &str {
        let keys = self.0.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item(_) => None,
        });
        keys.unwrap_or_default()
    }

    /// Whether it leads into an array.
    pub fn is_in_array(&self) -> bool {
        self.0.iter().any(|step| matches!(step, Step::Item(_)))
    }

    fn has(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|step| matches!(step, Step::Key(key) if key == name))
    }

    /// The first steps of it.
    fn first(&self, steps: usize) -> Path {
        Path(self.0[..steps.min(self.0.len())].to_vec())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Item(item) => write!(f, "[{item}]")?,
                Step::Key(key) => {
                    let dot = if number == 0 { "" } else { "." };
                    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                    if !key.is_empty() && key.chars().all(bare) {
                        write!(f, "{dot}{key}")?;
                    } else {
                        write!(f, "{dot}{}", Value::from(key.as_str()))?;
                    }
                }
            }
        }
        Ok(())
    }
}

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

/// What may be said of a part of the settings.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    Free,
    /// Free if it is one of these.
    Only(&'static [&'static str]),
    Refused(&'static Why),
}

#[derive(Debug)]
struct Why {
    label: &'static str,
    rule: &'static str,
    instead: Option<&'static str>,
}

const fn why(label: &'static str, rule: &'static str) -> Why {
    Why {
        label,
        rule,
        instead: None,
    }
}

const fn instead(why: &Why, instead: &'static str) -> Why {
    Why {
        label: why.label,
        rule: why.rule,
        instead: Some(instead),
    }
}

static MANAGED: Why = why(
    "the formula sets it",
    "what the formula sets keeps the server safe, or follows from other keys of the server",
);
static MANAGED_PORT: Why = instead(&MANAGED, "write ports = { gateway = … }");
static MANAGED_MODE: Why = instead(&MANAGED, "write `mode`");
static MANAGED_TLS: Why = instead(&MANAGED, "write `tls`");
static MANAGED_MODEL: Why = instead(&MANAGED, "write `model`");
static REACH: Why = why(
    "decides who reaches the server",
    "only the dashboard's user, with the token, and the configured clients reach the server",
);
static MODELS: Why = instead(
    &why(
        "another way to models",
        "the server's providers are those that the formula sets up",
    ),
    "write `provider` and `model`",
);
static OTHER_PROVIDER: Why = instead(
    &why(
        "not a provider of the server",
        "the server uses no provider but its own: another one costs money elsewhere, and OpenClaw \
         may fetch a plugin for it",
    ),
    "choose one of the server's own",
);
static MAY: Why = why(
    "decides what the agent may do",
    "the agent gets no rights that it does not have by itself",
);
static RUNS: Why = why(
    "runs programs",
    "what a server is configured to run is pinned by its hash",
);
static FETCHED: Why = why(
    "is fetched as the gateway starts",
    "what a server is configured to run is pinned by its hash; this needs a plugin that OpenClaw \
     fetches from npm as it starts, and waits for",
);
static SENDS: Why = why(
    "sends data elsewhere",
    "what is said in the server stays between its user, its model and its channels",
);
static COSTS: Why = why(
    "costs money unasked",
    "the model is called when somebody asks it something, and not by itself",
);
static OPEN: Why = instead(
    &why(
        "open to everybody",
        "whoever gives the agent orders has its whole qube",
    ),
    "name who may",
);
static DANGEROUS: Why = why(
    "dangerous by its name",
    "OpenClaw's own protections stay on",
);
static UNRESTRICTED: Why = instead(
    &why(
        "has web tools",
        "a small local model obeys whatever text a page contains: it gets no web tools, which the \
         formula sees to for `model` only",
    ),
    "write `model`",
);
static INCLUDE: Why = why(
    "takes in another file",
    "what a server is configured with is what can be read here",
);
static SECRET: Why = instead(
    &why(
        "a secret",
        "no secret stands in dom0, in the packages, or in what Salt sends to every managed qube",
    ),
    "write { source = \"store\", provider = \"default\", id = \"SOME_NAME\" }, and in the qube \
     `openclaw secrets store set SOME_NAME`",
);
static UNMASKS: Why = why(
    "replaces what hides secrets",
    "what OpenClaw writes into its logs is cleared of secrets by its own rules",
);
static INTERNAL: Why = why(
    "OpenClaw's own affair",
    "these settings are kept by OpenClaw itself, or are about other programs",
);

use Verdict::{Free, Only, Refused};

/// The parts of OpenClaw's configuration, with all that is in them; of several the one with the
/// most words counts. A `*` is any one name, and where it ends a refused one, all that has this
/// name is refused as one.
static RULES: &[(&str, Verdict)] = &[
    ("accessGroups", Free),
    ("acp", Refused(&RUNS)),
    ("agents", Free),
    ("agents.defaults.elevatedDefault", Refused(&MAY)),
    (
        "agents.defaults.embeddedAgent.projectSettingsPolicy",
        Only(&["sanitize", "ignore"]),
    ),
    ("agents.defaults.models.*.agentRuntime", Refused(&FETCHED)),
    ("agents.defaults.sandbox", Refused(&MAY)),
    ("agents.entries.*.heartbeat.every", Only(&["0m"])),
    ("agents.entries.*.models.*.agentRuntime", Refused(&FETCHED)),
    ("agents.entries.*.runtime", Refused(&RUNS)),
    ("agents.entries.*.sandbox", Refused(&MAY)),
    ("agents.entries.*.tools", Refused(&MAY)),
    ("agents.entries.*.tools.allow", Free),
    ("agents.entries.*.tools.deny", Free),
    (
        "agents.entries.*.tools.exec.mode",
        Only(&["deny", "allowlist", "ask"]),
    ),
    ("agents.entries.*.tools.fs.workspaceOnly", Only(&["true"])),
    (
        "agents.entries.*.tools.profile",
        Only(&["minimal", "messaging", "coding"]),
    ),
    ("agents.entries.*.tts.auto", Only(&["off"])),
    ("agents.entries.*.tts.enabled", Only(&["false"])),
    ("approvals", Refused(&MAY)),
    ("attachments", Free),
    ("auth", Refused(&MODELS)),
    ("bindings", Free),
    ("broadcast", Free),
    ("browser", Refused(&MAY)),
    ("browser.enabled", Free),
    ("browser.headless", Free),
    ("browser.tabCleanup", Free),
    ("channels", Refused(&FETCHED)),
    ("channels.*", Refused(&FETCHED)),
    ("channels.a2a", Refused(&REACH)),
    ("channels.defaults", Free),
    ("channels.modelByChannel", Free),
    ("channels.telegram", Free),
    ("channels.telegram.accounts.*.execApprovals", Refused(&MAY)),
    (
        "channels.telegram.accounts.*.trustedLocalFileRoots",
        Refused(&MAY),
    ),
    ("channels.telegram.accounts.*.apiRoot", Refused(&SENDS)),
    ("channels.telegram.accounts.*.proxy", Refused(&SENDS)),
    ("channels.telegram.accounts.*.webhookHost", Refused(&REACH)),
    ("channels.telegram.accounts.*.webhookPort", Refused(&REACH)),
    ("channels.telegram.accounts.*.webhookUrl", Refused(&REACH)),
    ("channels.telegram.apiRoot", Refused(&SENDS)),
    ("channels.telegram.execApprovals", Refused(&MAY)),
    ("channels.telegram.proxy", Refused(&SENDS)),
    ("channels.telegram.trustedLocalFileRoots", Refused(&MAY)),
    ("channels.telegram.webhookHost", Refused(&REACH)),
    ("channels.telegram.webhookPort", Refused(&REACH)),
    ("channels.telegram.webhookUrl", Refused(&REACH)),
    ("cloudWorkers", Refused(&SENDS)),
    ("commands", Free),
    ("commands.bash", Only(&["false"])),
    ("commands.config", Only(&["false"])),
    ("commands.debug", Only(&["false"])),
    ("commands.mcp", Only(&["false"])),
    ("commands.plugins", Only(&["false"])),
    ("cron", Free),
    ("cron.failureAlert.mode", Only(&["announce"])),
    ("cron.webhookSsrfPolicy", Refused(&REACH)),
    ("desktop", Refused(&REACH)),
    ("diagnostics", Refused(&SENDS)),
    ("discovery", Refused(&REACH)),
    ("env", Refused(&RUNS)),
    ("gateway", Refused(&REACH)),
    ("gateway.controlUi.automaticallyFetchFavicons", Free),
    ("gateway.controlUi.communityInvite", Free),
    ("gateway.controlUi.environment", Free),
    ("gateway.controlUi.sessionObserver", Only(&["false"])),
    ("gateway.nodes.allowSkills", Only(&["false"])),
    ("gateway.nodes.commands.deny", Free),
    ("gateway.nodes.pluginTools.enabled", Only(&["false"])),
    ("gateway.tools.deny", Free),
    ("hooks", Refused(&REACH)),
    ("logging", Refused(&INTERNAL)),
    ("logging.audit", Free),
    ("logging.consoleLevel", Free),
    ("logging.consoleStyle", Free),
    ("logging.level", Free),
    ("logging.maxFileBytes", Free),
    ("logging.redactPatterns", Refused(&UNMASKS)),
    ("mcp", Refused(&RUNS)),
    ("mcp.servers.*", Refused(&RUNS)),
    ("memory", Free),
    ("messages", Free),
    ("meta", Refused(&INTERNAL)),
    ("models", Refused(&MODELS)),
    ("models.providers.*", Refused(&MODELS)),
    ("nodeHost", Refused(&RUNS)),
    ("plugins", Refused(&RUNS)),
    ("plugins.deny", Free),
    ("plugins.entries.*", Refused(&FETCHED)),
    ("plugins.entries.*.enabled", Only(&["false"])),
    ("proxy", Refused(&SENDS)),
    ("secrets", Refused(&RUNS)),
    ("secrets.defaults", Free),
    ("secrets.providers.*.mode", Free),
    ("secrets.providers.*.path", Free),
    (
        "secrets.providers.*.source",
        Only(&["env", "file", "store"]),
    ),
    ("security", Refused(&MAY)),
    ("session", Free),
    ("skills", Refused(&RUNS)),
    ("skills.allowBundled", Free),
    ("skills.entries.*.apiKey", Free),
    ("skills.entries.*.enabled", Free),
    ("skills.limits", Free),
    ("surfaces", Free),
    ("talk", Free),
    ("telemetry", Refused(&SENDS)),
    ("tools", Refused(&MAY)),
    ("tools.agentToAgent.enabled", Only(&["false"])),
    ("tools.allow", Free),
    ("tools.deny", Free),
    ("tools.elevated.enabled", Only(&["false"])),
    ("tools.exec.mode", Only(&["deny", "allowlist", "ask"])),
    ("tools.exec.timeoutSeconds", Free),
    ("tools.fs.workspaceOnly", Only(&["true"])),
    ("tools.github.gitAuthor", Free),
    ("tools.links.enabled", Free),
    ("tools.loopDetection", Free),
    ("tools.media.*.enabled", Free),
    ("tools.profile", Only(&["minimal", "messaging", "coding"])),
    ("tools.subagents.tools.deny", Free),
    ("tools.web.fetch", Free),
    ("tools.web.fetch.ssrfPolicy", Refused(&REACH)),
    ("tools.web.fetch.useTrustedEnvProxy", Only(&["false"])),
    ("tools.web.search", Free),
    ("transcripts", Free),
    ("transcripts.autoStart", Refused(&SENDS)),
    ("tts", Free),
    // What is spoken goes to a service that OpenClaw chooses by itself.
    ("tts.auto", Only(&["off"])),
    ("tts.enabled", Only(&["false"])),
    ("ui", Free),
    ("update", Refused(&RUNS)),
    ("wizard", Refused(&INTERNAL)),
    ("worktreeAcceleration", Refused(&INTERNAL)),
    ("worktreeRoot", Refused(&INTERNAL)),
];

/// The settings that rules are about, each as words with dots between them.
pub fn rules() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(rule, _)| *rule)
}

/// The parts of OpenClaw's configuration: each has a rule.
pub fn parts() -> impl Iterator<Item = &'static str> {
    rules().filter(|rule| !rule.contains('.'))
}

/// Objects to a setting for what it is: a value that is neither a table nor in an array. `managed`
/// is what the formula sets in this server.
pub fn object_to_setting(path: &Path, value: &Value, managed: &Value) -> Option<Objection> {
    if value.as_object().is_some_and(serde_json::Map::is_empty) {
        return None;
    }
    if is_managed(path, value, managed) {
        let why = match path.to_string().as_str() {
            "gateway.port" => &MANAGED_PORT,
            "gateway.bind" | "gateway.customBindHost" => &MANAGED_MODE,
            "gateway.tls.enabled" => &MANAGED_TLS,
            "agents.defaults.model.primary" => &MANAGED_MODEL,
            _ => &MANAGED,
        };
        return Some(object(path.clone(), why));
    }
    let (rule, verdict) = verdict(path)?;
    let why = match verdict {
        Free => return None,
        Only(values) => {
            let text = value.as_str().map_or(value.to_string(), str::to_owned);
            if values.contains(&text.as_str()) {
                return None;
            }
            why_not(rule)
        }
        Refused(why) => why,
    };
    let whole = rule.ends_with('*');
    let steps = if whole { words(rule) } else { path.0.len() };
    Some(object(path.first(steps), why))
}

/// Objects to a name or a value that tells by itself: a value that is no table or array, wherever
/// it is; a reference to a secret is one value, by its id. `managed` is what the formula sets in this server.
pub fn object_to_value(path: &Path, value: &Value, managed: &Value) -> Option<Objection> {
    let text = value.as_str().unwrap_or_default();
    let name = path.name();
    let providers = managed["models"]["providers"].as_object();
    let foreign = |provider: &str| providers.is_some_and(|own| !own.contains_key(provider));
    let included = |step: &Step| matches!(step, Step::Key(key) if key.starts_with('$'));
    // Where all is refused, what it could do is said already.
    let let_through = lets_through(path);
    let why = if is_secret(path, value) {
        &SECRET
    } else if path.0.iter().any(included) {
        &INCLUDE
    } else if has_dangerous_name(path) {
        &DANGEROUS
    } else if path.has("alsoAllow") {
        &MAY
    } else if (matches!(text, "*" | "open") || text.ends_with(":*"))
        && OPENED.contains(&path.key(0).unwrap_or_default())
    {
        &OPEN
    } else if let_through && (runs_programs(path) || binds_to_program(path, text)) {
        &RUNS
    } else if let_through && ["baseUrl", "endpoint"].contains(&name) {
        &SENDS
    } else if let_through && provider_of(path, text).is_some_and(foreign) {
        &OTHER_PROVIDER
    } else if let_through && is_model(path) && is_unrestricted(text, managed) {
        &UNRESTRICTED
    } else {
        return None;
    };
    Some(object(path.clone(), why))
}

/// Says that OpenClaw's configuration has no part of this name.
pub fn refuse_part(name: &str) -> Option<Invalid> {
    let parts: Vec<_> = parts().collect();
    (!parts.contains(&name)).then(|| {
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
}

/// Whether a setting is refused for no reason but its value.
pub fn lets_through(path: &Path) -> bool {
    !matches!(verdict(path), None | Some((_, Refused(_))))
}

/// Says that OpenClaw has no such setting, where it is not refused in any case.
pub fn refuse_unknown(path: &Path) -> Option<Invalid> {
    if !lets_through(path) || settings::has(path) {
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

/// Says that a value is of another kind than what the formula has there, whoever insists.
pub fn refuse_kind(path: &Path, value: &Value, managed: &Value) -> Option<Invalid> {
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

fn object(to: Path, why: &'static Why) -> Objection {
    Objection {
        to,
        label: why.label,
        rule: why.rule,
        instead: why.instead,
    }
}

/// Why a value that is none of an [`Only`] is refused.
fn why_not(rule: &str) -> &'static Why {
    match rule {
        "agents.entries.*.heartbeat.every" | "gateway.controlUi.sessionObserver" => &COSTS,
        "secrets.providers.*.source" => &RUNS,
        "cron.failureAlert.mode" => &SENDS,
        rule if rule.contains("tts.") => &SENDS,
        "plugins.entries.*.enabled" => &FETCHED,
        _ => &MAY,
    }
}

/// The rule that counts for a setting.
fn verdict(path: &Path) -> Option<(&'static str, Verdict)> {
    let named = RULES.iter().filter(|(rule, _)| matches(rule, path));
    named.max_by_key(|(rule, _)| words(rule)).copied()
}

fn words(rule: &str) -> usize {
    rule.split('.').count()
}

/// Whether a setting is in the part that a rule names.
fn matches(rule: &str, path: &Path) -> bool {
    rule.split('.')
        .enumerate()
        .all(|(at, word)| path.key(at).is_some_and(|key| word == "*" || word == key))
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

/// The parts in which `*` and `open` are people.
const OPENED: [&str; 4] = ["accessGroups", "channels", "commands", "tools"];

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
    // Telegram's menu has commands of another kind.
    NAMES.contains(&path.name()) && !path.has("customCommands") || path.has("env")
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

/// Whether a setting chooses a model.
fn is_model(path: &Path) -> bool {
    let name = path.name();
    name.to_ascii_lowercase().ends_with("model")
        || ["primary", "fallbacks"].contains(&name)
        || path.has("modelByChannel")
}

/// The provider that a setting chooses: by its name, or in front of a model.
fn provider_of<'a>(path: &'a Path, text: &'a str) -> Option<&'a str> {
    if ["provider", "fallback"].contains(&path.name()) {
        return (!["", "none", "auto"].contains(&text)).then_some(text);
    }
    if is_model(path) {
        return text.split_once('/').map(|(provider, _)| provider);
    }
    let providers = Step::Key("providers".to_owned());
    let at = path.0.iter().position(|step| *step == providers)?;
    let is_own = ["models", "secrets"].contains(&path.key(0)?);
    path.key(at + 1).filter(|_| !is_own)
}

/// Whether a model's provider has models whose tools the formula restricts, and this is none.
fn is_unrestricted(model: &str, managed: &Value) -> bool {
    let restricted = managed["tools"]["byProvider"].as_object();
    let of_provider = |other: &String| {
        let provider = model.split_once('/').map(|(provider, _)| provider);
        provider.is_some() && provider == other.split_once('/').map(|(provider, _)| provider)
    };
    restricted.is_some_and(|all| !all.contains_key(model) && all.keys().any(of_provider))
}

/// Whether a value is a secret, by its own look or by its setting's name. A reference is none.
fn is_secret(path: &Path, value: &Value) -> bool {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(reference) => {
            let id = reference.get("id").and_then(Value::as_str);
            return id.is_some_and(looks_secret);
        }
        _ => return false,
    };
    !text.is_empty() && !is_reference(&text) && (is_for_secrets(path) || looks_secret(&text))
}

/// Whether a setting is there to hold a secret.
fn is_for_secrets(path: &Path) -> bool {
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
    let mut name = path.name().to_ascii_lowercase();
    name.retain(|c| c != '_' && c != '-');
    let inner = |part: &str| path.has(part) && path.name() != part;
    ENDS.iter().any(|end| name.ends_with(end))
        || inner("headers")
        || inner("auth") && name == "value"
        || inner("tls") && ["ca", "cert", "key"].contains(&name.as_str())
}

/// `${NAME}`, which OpenClaw takes from its environment, with a word such as `Bearer` before it.
fn is_reference(text: &str) -> bool {
    let variable = match text.split_once(' ') {
        Some((word, rest)) if word.chars().all(|c| c.is_ascii_alphabetic()) => rest,
        _ => text,
    };
    let name = variable
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
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

fn looks_secret(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let key = text.len() >= 20
        && text.chars().all(plain)
        && KEY_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
    // A Telegram bot's.
    let bot = text.split_once(':').is_some_and(|(id, rest)| {
        id.len() >= 6
            && id.chars().all(|c| c.is_ascii_digit())
            && rest.len() >= 30
            && rest.chars().all(plain)
    });
    let in_url = text.split_once("://").is_some_and(|(_, rest)| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        rest[..end]
            .split_once('@')
            .is_some_and(|(user, _)| user.contains(':') && !user.contains("${"))
    });
    key || bot || in_url || text.contains("-----BEGIN ")
}
