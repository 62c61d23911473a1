// SPDX-License-Identifier: MIT OR Apache-2.0

//! Settings of earlier versions of OpenClaw, and what they are called now.
//!
//! OpenClaw moves them by itself as it starts, so a rule for the newer name would not hold for
//! the older one. The tests hold both names to the real schema.

use super::path::{Path, Step};

/// Older and newer names, as words with dots between them; a `*` is any name, and the same one in
/// both.
static RENAMED: &[(&str, &str)] = &[
    (
        "agents.defaults.embeddedPi",
        "agents.defaults.embeddedAgent",
    ),
    (
        "agents.defaults.imageGenerationModel",
        "agents.defaults.mediaModels.image",
    ),
    ("agents.defaults.memorySearch", "memory.search"),
    (
        "agents.defaults.musicGenerationModel",
        "agents.defaults.mediaModels.music",
    ),
    ("agents.defaults.pdfMaxBytesMb", "agents.defaults.pdfMaxMb"),
    (
        "agents.defaults.promptOverlays.gpt5.personality",
        "plugins.entries.openai.config.personality",
    ),
    (
        "agents.defaults.sandbox.perSession",
        "agents.defaults.sandbox.scope",
    ),
    (
        "agents.defaults.videoGenerationModel",
        "agents.defaults.mediaModels.video",
    ),
    (
        "agents.entries.*.embeddedPi",
        "agents.entries.*.embeddedAgent",
    ),
    (
        "agents.entries.*.memorySearch",
        "agents.entries.*.memory.search",
    ),
    (
        "agents.entries.*.sandbox.perSession",
        "agents.entries.*.sandbox.scope",
    ),
    (
        "agents.entries.*.tools.codeMode.runtime",
        "agents.entries.*.tools.codeMode.executor",
    ),
    (
        "agents.entries.*.tools.exec.timeoutSec",
        "agents.entries.*.tools.exec.timeoutSeconds",
    ),
    (
        "agents.entries.*.tools.message.allowCrossContextSend",
        "agents.entries.*.tools.message.crossContext",
    ),
    ("agents.list", "agents.entries"),
    ("audio", "tools.media.models"),
    ("audit", "logging.audit"),
    (
        "channels.telegram.accounts.*.heartbeat",
        "channels.telegram.accounts.*.heartbeatVisibility",
    ),
    (
        "channels.telegram.accounts.*.threadBindings.spawnAcpSessions",
        "channels.telegram.accounts.*.threadBindings.spawnSessions",
    ),
    (
        "channels.telegram.accounts.*.threadBindings.spawnSubagentSessions",
        "channels.telegram.accounts.*.threadBindings.spawnSessions",
    ),
    (
        "channels.telegram.accounts.*.threadBindings.ttlHours",
        "channels.telegram.accounts.*.threadBindings.idleHours",
    ),
    (
        "channels.telegram.groupMentionsOnly",
        "channels.telegram.groups.*.requireMention",
    ),
    (
        "channels.telegram.heartbeat",
        "channels.telegram.heartbeatVisibility",
    ),
    (
        "channels.telegram.requireMention",
        "channels.telegram.groups.*.requireMention",
    ),
    (
        "channels.telegram.threadBindings.spawnAcpSessions",
        "channels.telegram.threadBindings.spawnSessions",
    ),
    (
        "channels.telegram.threadBindings.spawnSubagentSessions",
        "channels.telegram.threadBindings.spawnSessions",
    ),
    (
        "channels.telegram.threadBindings.ttlHours",
        "channels.telegram.threadBindings.idleHours",
    ),
    ("defaultModel", "agents.defaults.model"),
    (
        "gateway.nodes.allowCommands",
        "gateway.nodes.commands.allow",
    ),
    ("gateway.nodes.denyCommands", "gateway.nodes.commands.deny"),
    ("gateway.nodes.skills.enabled", "gateway.nodes.allowSkills"),
    ("heartbeat", "agents.defaults.heartbeat"),
    ("media", "attachments"),
    ("memory.search.maxResults", "memory.search.query.maxResults"),
    ("memorySearch", "memory.search"),
    ("messages.tts", "tts"),
    ("routing", "messages.groupChat"),
    ("session.idleMinutes", "session.reset.idleMinutes"),
    (
        "session.maintenance.pruneDays",
        "session.maintenance.pruneAfter",
    ),
    ("session.resetByType.dm", "session.resetByType.direct"),
    (
        "session.threadBindings.spawnAcpSessions",
        "session.threadBindings.spawnSessions",
    ),
    (
        "session.threadBindings.spawnSubagentSessions",
        "session.threadBindings.spawnSessions",
    ),
    (
        "session.threadBindings.ttlHours",
        "session.threadBindings.idleHours",
    ),
    ("session.typingMode", "agents.defaults.typingMode"),
    ("talk.apiKey", "talk.providers.*.apiKey"),
    ("talk.realtime.voice", "talk.realtime.speakerVoice"),
    ("tools.codeMode.runtime", "tools.codeMode.executor"),
    ("tools.exec.timeoutSec", "tools.exec.timeoutSeconds"),
    ("tools.experimental.planTool", "tools.updatePlan"),
    (
        "tools.message.allowCrossContextSend",
        "tools.message.crossContext",
    ),
    (
        "tools.web.x_search.apiKey",
        "plugins.entries.xai.config.webSearch.apiKey",
    ),
];

/// Older and newer names, one by one.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    RENAMED.iter().copied()
}

/// What a setting is called now.
pub fn newer(path: &Path) -> Option<Path> {
    let (older, newer) = all().find(|(older, _)| path.fits(older).is_some())?;
    let mut names = older
        .split('.')
        .zip(&path.0)
        .filter(|(word, _)| *word == "*")
        .map(|(_, step)| step.clone());
    let step = |word: &str| match word {
        "*" => names.next().unwrap_or_else(|| Step::Key("*".to_owned())),
        name => Step::Key(name.to_owned()),
    };
    Some(Path(newer.split('.').map(step).collect()))
}
