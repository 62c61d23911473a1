// SPDX-License-Identifier: MIT OR Apache-2.0

//! The parts of OpenClaw's configuration, and what is said of each.

use super::path::Path;
use super::why::{self, Reason, Why, because};

/// What is said of a part of the settings. Nothing is said without a reason.
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    /// What is in it counts: each setting is judged by its meaning.
    Free(Reason),
    /// Harmless if it is one of these, refused otherwise.
    Only(&'static [&'static str], &'static Why),
    /// Refused, whatever is in it.
    Refused(&'static Why),
}

use Verdict::{Free, Only, Refused};

/// The parts, with all that is in them; of several the one with the most words counts. A `*` is
/// any one name, and where it ends a refused one, all that has this name is refused as one.
static RULES: &[(&str, Verdict)] = &[
    (
        "accessGroups",
        Free(because(
            "groups of people, each of whom is judged on its own",
        )),
    ),
    ("acp", Refused(&why::RUNS)),
    (
        "agents",
        Free(because(
            "how the agent speaks, remembers and divides its work; what else is in it is judged below",
        )),
    ),
    ("agents.defaults.elevatedDefault", Refused(&why::MAY)),
    (
        "agents.defaults.embeddedAgent.projectSettingsPolicy",
        Only(&["sanitize", "ignore"], &why::MAY),
    ),
    (
        "agents.defaults.models.*.agentRuntime",
        Refused(&why::FETCHED),
    ),
    ("agents.defaults.sandbox", Refused(&why::MAY)),
    (
        "agents.entries.*.heartbeat.every",
        Only(&["0m"], &why::COSTS),
    ),
    (
        "agents.entries.*.models.*.agentRuntime",
        Refused(&why::FETCHED),
    ),
    ("agents.entries.*.runtime", Refused(&why::RUNS)),
    ("agents.entries.*.sandbox", Refused(&why::MAY)),
    ("agents.entries.*.tools", Refused(&why::MAY)),
    (
        "agents.entries.*.tools.allow",
        Free(because("takes tools away: only what is listed is left")),
    ),
    (
        "agents.entries.*.tools.deny",
        Free(because("takes tools away")),
    ),
    (
        "agents.entries.*.tools.exec.mode",
        Only(&["deny", "allowlist", "ask"], &why::MAY),
    ),
    (
        "agents.entries.*.tools.fs.workspaceOnly",
        Only(&["true"], &why::MAY),
    ),
    (
        "agents.entries.*.tools.profile",
        Only(&["minimal", "messaging", "coding"], &why::MAY),
    ),
    ("agents.entries.*.tts.auto", Only(&["off"], &why::SENDS)),
    (
        "agents.entries.*.tts.enabled",
        Only(&["false"], &why::SENDS),
    ),
    ("approvals", Refused(&why::MAY)),
    ("attachments", Free(because("how long files are kept"))),
    ("auth", Refused(&why::MODELS)),
    (
        "bindings",
        Free(because("which agent of the server answers whom")),
    ),
    (
        "broadcast",
        Free(because("which agents of the server answer together")),
    ),
    ("browser", Refused(&why::MAY)),
    (
        "browser.enabled",
        Free(because(
            "the browser runs in the qube, with the network that the qube has",
        )),
    ),
    (
        "browser.headless",
        Free(because("whether the browser has a window")),
    ),
    ("browser.tabCleanup", Free(because("when tabs are closed"))),
    ("channels", Refused(&why::FETCHED)),
    ("channels.*", Refused(&why::FETCHED)),
    ("channels.a2a", Refused(&why::REACH)),
    (
        "channels.defaults",
        Free(because("how channels behave, and nothing that opens one")),
    ),
    (
        "channels.modelByChannel",
        Free(because("which of the server's models answers where")),
    ),
    (
        "channels.telegram",
        Free(because(
            "bundled with OpenClaw; the bot's owner is its user, and who may write to it is judged below",
        )),
    ),
    ("channels.telegram.accounts.*.apiRoot", Refused(&why::SENDS)),
    (
        "channels.telegram.accounts.*.execApprovals",
        Refused(&why::MAY),
    ),
    ("channels.telegram.accounts.*.proxy", Refused(&why::SENDS)),
    (
        "channels.telegram.accounts.*.trustedLocalFileRoots",
        Refused(&why::MAY),
    ),
    (
        "channels.telegram.accounts.*.webhookHost",
        Refused(&why::REACH),
    ),
    (
        "channels.telegram.accounts.*.webhookPort",
        Refused(&why::REACH),
    ),
    (
        "channels.telegram.accounts.*.webhookUrl",
        Refused(&why::REACH),
    ),
    ("channels.telegram.apiRoot", Refused(&why::SENDS)),
    ("channels.telegram.execApprovals", Refused(&why::MAY)),
    ("channels.telegram.proxy", Refused(&why::SENDS)),
    (
        "channels.telegram.trustedLocalFileRoots",
        Refused(&why::MAY),
    ),
    ("channels.telegram.webhookHost", Refused(&why::REACH)),
    ("channels.telegram.webhookPort", Refused(&why::REACH)),
    ("channels.telegram.webhookUrl", Refused(&why::REACH)),
    ("cloudWorkers", Refused(&why::SENDS)),
    (
        "commands",
        Free(because(
            "which commands people may give in chats, and who may",
        )),
    ),
    ("commands.bash", Only(&["false"], &why::MAY)),
    ("commands.config", Only(&["false"], &why::MAY)),
    ("commands.debug", Only(&["false"], &why::MAY)),
    ("commands.mcp", Only(&["false"], &why::MAY)),
    ("commands.plugins", Only(&["false"], &why::MAY)),
    (
        "cron",
        Free(because("when what the user asked for is done")),
    ),
    ("cron.failureAlert.mode", Only(&["announce"], &why::SENDS)),
    ("cron.webhookSsrfPolicy", Refused(&why::REACH)),
    ("desktop", Refused(&why::REACH)),
    ("diagnostics", Refused(&why::SENDS)),
    ("discovery", Refused(&why::REACH)),
    ("env", Refused(&why::RUNS)),
    ("gateway", Refused(&why::REACH)),
    (
        "gateway.controlUi.automaticallyFetchFavicons",
        Free(because("pictures in the dashboard")),
    ),
    (
        "gateway.controlUi.communityInvite",
        Free(because("a line in the dashboard")),
    ),
    (
        "gateway.controlUi.environment",
        Free(because("a label in the dashboard")),
    ),
    (
        "gateway.controlUi.sessionObserver",
        Only(&["false"], &why::COSTS),
    ),
    ("gateway.nodes.allowSkills", Only(&["false"], &why::MAY)),
    (
        "gateway.nodes.commands.deny",
        Free(because("takes commands away")),
    ),
    (
        "gateway.nodes.pluginTools.enabled",
        Only(&["false"], &why::MAY),
    ),
    ("gateway.tools.deny", Free(because("takes tools away"))),
    ("hooks", Refused(&why::REACH)),
    ("logging", Refused(&why::INTERNAL)),
    (
        "logging.audit",
        Free(because("what is recorded in the qube")),
    ),
    (
        "logging.consoleLevel",
        Free(because("how much is written into the journal")),
    ),
    (
        "logging.consoleStyle",
        Free(because("how it is written into the journal")),
    ),
    (
        "logging.level",
        Free(because("how much is written into a file in the qube")),
    ),
    (
        "logging.maxFileBytes",
        Free(because("how large that file grows")),
    ),
    ("logging.redactPatterns", Refused(&why::UNMASKS)),
    ("mcp", Refused(&why::RUNS)),
    ("mcp.servers.*", Refused(&why::RUNS)),
    (
        "memory",
        Free(because(
            "what the agent remembers, with the server's own provider",
        )),
    ),
    (
        "messages",
        Free(because("how answers look and when they come")),
    ),
    ("meta", Refused(&why::INTERNAL)),
    ("models", Refused(&why::MODELS)),
    ("models.providers.*", Refused(&why::MODELS)),
    ("nodeHost", Refused(&why::RUNS)),
    ("plugins", Refused(&why::RUNS)),
    ("plugins.deny", Free(because("takes plugins away"))),
    ("plugins.entries.*", Refused(&why::FETCHED)),
    ("plugins.entries.*.enabled", Only(&["false"], &why::FETCHED)),
    ("proxy", Refused(&why::SENDS)),
    ("secrets", Refused(&why::RUNS)),
    (
        "secrets.defaults",
        Free(because(
            "which of the configured providers of secrets is meant",
        )),
    ),
    (
        "secrets.providers.*.mode",
        Free(because("how the file of secrets is read")),
    ),
    (
        "secrets.providers.*.path",
        Free(because("the one file of secrets that OpenClaw documents")),
    ),
    (
        "secrets.providers.*.source",
        Only(&["env", "file", "store"], &why::RUNS),
    ),
    ("security", Refused(&why::MAY)),
    (
        "session",
        Free(because("how conversations are kept apart and how long")),
    ),
    ("skills", Refused(&why::RUNS)),
    (
        "skills.allowBundled",
        Free(because("takes skills away: only what is listed is left")),
    ),
    (
        "skills.entries.*.apiKey",
        Free(because(
            "a reference to a secret, for a skill that OpenClaw brings",
        )),
    ),
    (
        "skills.entries.*.enabled",
        Free(because("switches a skill that is there")),
    ),
    ("skills.limits", Free(because("how much of skills is read"))),
    ("surfaces", Free(because("when nothing is answered"))),
    (
        "talk",
        Free(because(
            "how spoken conversations go, with the server's own provider",
        )),
    ),
    (
        "talk.realtime.brain",
        Only(&["agent-consult", "none"], &why::MAY),
    ),
    ("telemetry", Refused(&why::SENDS)),
    ("tools", Refused(&why::MAY)),
    ("tools.agentToAgent.enabled", Only(&["false"], &why::MAY)),
    (
        "tools.allow",
        Free(because("takes tools away: only what is listed is left")),
    ),
    ("tools.deny", Free(because("takes tools away"))),
    ("tools.elevated.enabled", Only(&["false"], &why::MAY)),
    (
        "tools.exec.mode",
        Only(&["deny", "allowlist", "ask"], &why::MAY),
    ),
    (
        "tools.exec.timeoutSeconds",
        Free(because("how long a command may take")),
    ),
    ("tools.fs.workspaceOnly", Only(&["true"], &why::MAY)),
    (
        "tools.github.gitAuthor",
        Free(because("the name in commits")),
    ),
    (
        "tools.links.enabled",
        Free(because("whether links that the user sends are read")),
    ),
    (
        "tools.loopDetection",
        Free(because("when repeated calls are stopped")),
    ),
    (
        "tools.media.*.enabled",
        Free(because(
            "whether pictures and sounds are read, by the server's own models",
        )),
    ),
    (
        "tools.profile",
        Only(&["minimal", "messaging", "coding"], &why::MAY),
    ),
    (
        "tools.subagents.tools.deny",
        Free(because("takes tools away")),
    ),
    (
        "tools.web.fetch",
        Free(because("how pages are fetched, by the qube itself")),
    ),
    ("tools.web.fetch.ssrfPolicy", Refused(&why::REACH)),
    (
        "tools.web.fetch.useTrustedEnvProxy",
        Only(&["false"], &why::MAY),
    ),
    (
        "tools.web.search",
        Free(because("how much is searched for")),
    ),
    (
        "transcripts",
        Free(because(
            "whether meetings may be written down when the user asks",
        )),
    ),
    ("transcripts.autoStart", Refused(&why::SENDS)),
    (
        "tts",
        Free(because("how speech sounds; it is switched off below")),
    ),
    // What is spoken goes to a service that OpenClaw chooses by itself.
    ("tts.auto", Only(&["off"], &why::SENDS)),
    ("tts.enabled", Only(&["false"], &why::SENDS)),
    ("ui", Free(because("how the dashboard looks"))),
    ("update", Refused(&why::RUNS)),
    ("wizard", Refused(&why::INTERNAL)),
    ("worktreeAcceleration", Refused(&why::INTERNAL)),
    ("worktreeRoot", Refused(&why::INTERNAL)),
];

/// What the rules are about, each as words with dots between them, and the reason for each.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    RULES.iter().map(|(rule, verdict)| {
        let reason = match verdict {
            Free(reason) => reason.0,
            Only(_, why) | Refused(why) => why.rule,
        };
        (*rule, reason)
    })
}

/// The parts of OpenClaw's configuration: each has a rule.
pub fn parts() -> impl Iterator<Item = &'static str> {
    all()
        .map(|(rule, _)| rule)
        .filter(|rule| !rule.contains('.'))
}

/// The rule that counts for a setting.
pub fn verdict(path: &Path) -> Option<(&'static str, Verdict)> {
    let named = RULES.iter().filter(|(rule, _)| matches(rule, path));
    named.max_by_key(|(rule, _)| words(rule)).copied()
}

/// Of how many words a rule's name is.
pub fn words(rule: &str) -> usize {
    rule.split('.').count()
}

/// Whether a setting is in the part that a rule names.
fn matches(rule: &str, path: &Path) -> bool {
    rule.split('.')
        .enumerate()
        .all(|(at, word)| path.key(at).is_some_and(|key| word == "*" || word == key))
}
