// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the name of a setting, or a text in it, tells by itself, whatever setting it is.

use super::path::{Path, Step};
use super::why::{Reason, because};

/// Whether a text lets everybody in, in a part in which `*` and `open` are people. OpenClaw trims,
/// and cuts a channel's name in front.
pub(super) fn opens(path: &Path, text: &str) -> bool {
    const PARTS: [&str; 4] = ["accessGroups", "channels", "commands", "tools"];
    let space = |c: char| c.is_whitespace() || c == '\u{feff}';
    let last = text.rsplit(':').next().unwrap_or_default();
    PARTS.contains(&path.key(0).unwrap_or_default())
        && ["*", "open"].contains(&last.trim_matches(space).to_lowercase().as_str())
}

/// Whether a setting names a program, or what is given to one.
pub(super) fn runs_programs(path: &Path) -> bool {
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
pub(super) fn binds_to_program(path: &Path, text: &str) -> bool {
    path.key(0) == Some("bindings") && path.name() == "type" && text == "acp"
}

pub(super) fn has_dangerous_name(path: &Path) -> bool {
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
pub(super) fn harmless_place(path: &Path) -> Option<&'static str> {
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
    use super::*;

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
}
