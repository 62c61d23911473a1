// SPDX-License-Identifier: MIT OR Apache-2.0

//! Hides secrets in what messages show.
//!
//! Somebody who writes a secret into a configuration gets a message that shows the line. The
//! message may end up in a log, a screenshot or a question to others, so it shows stars instead.
//! This works on any text, also on one that is not TOML: a secret is known by its look, or by the
//! name before it.

use std::ops::Range;

use crate::openclaw::secrets::{looks_secret, names_a_secret};

/// A text with stars in place of each secret, and the secrets. Each byte keeps its place.
pub fn hide(text: &str) -> (String, Vec<String>) {
    let mut spans = named(text);
    spans.extend(looking_like_one(text));
    let mut shown = text.as_bytes().to_vec();
    let mut hidden = Vec::new();
    for span in spans {
        hidden.push(text[span.clone()].trim().to_owned());
        for byte in &mut shown[span] {
            if !b"\r\n".contains(byte) {
                *byte = b'*';
            }
        }
    }
    hidden.retain(|secret| !secret.is_empty());
    // Of two the one that has the other in it comes first.
    hidden.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    hidden.dedup();
    let shown = String::from_utf8(shown).expect("each star is one byte of a whole character");
    (shown, hidden)
}

/// What no message quotes.
#[derive(Debug, Default)]
pub struct Secrets {
    each: Vec<String>,
    /// All of them in one, in lower case.
    all: String,
}

impl From<Vec<String>> for Secrets {
    fn from(each: Vec<String>) -> Self {
        let all = each.join("\n").to_ascii_lowercase();
        Secrets { each, all }
    }
}

/// A message with stars in place of these secrets where it quotes them, and of what looks like one.
pub fn redact(message: &str, secrets: &Secrets) -> String {
    const LONG: usize = 12;
    let mut shown = message.to_owned();
    for secret in &secrets.each {
        if !shown.contains(secret.as_str()) {
            continue;
        }
        if secret.len() >= LONG {
            shown = shown.replace(secret.as_str(), "***");
        }
        for quote in ['"', '\'', '`'] {
            shown = shown.replace(
                &format!("{quote}{secret}{quote}"),
                &format!("{quote}***{quote}"),
            );
        }
    }
    let of_secret = |word: &str| {
        // A part of one, which a proposal may be: so long that it is no word of the language.
        let telling =
            word.len() >= LONG || word.len() >= 8 && word.contains(|c: char| c.is_ascii_digit());
        telling && secrets.all.contains(&word.to_ascii_lowercase())
    };
    let words = shown
        .split(|c: char| !is_bare(c))
        .filter(|word| of_secret(word));
    let parts: Vec<_> = words.map(|word| span_of(word, &shown)).collect();
    for span in parts.into_iter().rev() {
        shown.replace_range(span, "***");
    }
    let spans: Vec<_> = looking_like_one(&shown).collect();
    for span in spans.into_iter().rev() {
        shown.replace_range(span, "***");
    }
    shown
}

/// The command line's error with stars in place of the values of options that are called like
/// secrets.
pub fn redact_arguments(message: &str, arguments: impl IntoIterator<Item = String>) -> String {
    let mut secrets = Vec::new();
    let mut wanted = false;
    for argument in arguments {
        let option = argument.strip_prefix("--").filter(|_| !wanted);
        match option.map(|option| option.split_once('=').unwrap_or((option, ""))) {
            Some((name, value)) => {
                let of_secret = name.split('-').any(is_secret_name) || is_secret_name(name);
                wanted = of_secret && value.is_empty();
                secrets.extend((of_secret && !value.is_empty()).then(|| value.to_owned()));
            }
            None if wanted => {
                secrets.push(argument);
                wanted = false;
            }
            None => {}
        }
    }
    redact(message, &Secrets::from(secrets))
}

/// What looks like a secret, wherever it stands.
fn looking_like_one(text: &str) -> impl Iterator<Item = Range<usize>> {
    let outside = |c: char| !c.is_ascii_graphic() || "\"'`,;()[]{}<>=\\".contains(c);
    let words = text
        .split(outside)
        .filter(|word| looks_secret(word) || is_random(word) || word.starts_with("-----BEGIN"));
    words.map(|word| span_of(word, text))
}

/// Where a word is in the text that it is a part of.
fn span_of(word: &str, text: &str) -> Range<usize> {
    let start = word.as_ptr() as usize - text.as_ptr() as usize;
    start..start + word.len()
}

/// Whether a word is as long and mixed as a key, and is not one of the words that keys of the
/// configuration are.
fn is_random(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+".contains(c);
    let digits = word.chars().filter(char::is_ascii_digit).count();
    word.len() >= 32 && word.chars().all(plain) && digits >= 4 && digits < word.len()
}

/// Whether a name in a configuration is one of a secret: more names than those that are refused,
/// since it costs nothing to hide one too many.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let one = name.strip_suffix('s').unwrap_or(&name);
    names_a_secret(&name)
        || names_a_secret(one)
        || ["key", "passwd", "pwd", "pass", "pin"]
            .iter()
            .any(|end| one.ends_with(end))
}

/// What stands behind the name of a secret.
fn named(text: &str) -> Vec<Range<usize>> {
    let mut scan = Scan {
        text,
        at: 0,
        depth: 0,
        in_header: false,
        in_secret_table: false,
        in_secret_braces: false,
        secret: false,
        parts: Vec::new(),
        found: Vec::new(),
    };
    while scan.at < text.len() {
        scan.step();
    }
    scan.found
}

/// Reads what could be TOML, JSON or a slip of either.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// How many brackets are open.
    depth: usize,
    /// Whether this is the header of a table.
    in_header: bool,
    /// Whether the table's header says that all values in it are secrets.
    in_secret_table: bool,
    /// Whether the name before the table in the line says so.
    in_secret_braces: bool,
    /// Whether the name before is one of a secret.
    secret: bool,
    /// The parts of a dotted name, so far.
    parts: Vec<&'a str>,
    found: Vec<Range<usize>>,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn step(&mut self) {
        let rest = self.rest();
        let c = rest.chars().next().unwrap_or('\n');
        match c {
            '\n' => {
                if self.depth == 0 {
                    self.secret = false;
                }
                self.parts.clear();
                self.at += 1;
            }
            '#' => self.at += rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => self.string(c),
            '=' => self.assign(),
            // As JSON has it.
            ':' if !self.parts.is_empty() => self.assign(),
            '[' => {
                let line = self.text[..self.at].rsplit('\n').next().unwrap_or_default();
                self.in_header |= self.depth == 0 && line.trim().is_empty();
                self.depth += 1;
                self.at += 1;
            }
            ']' => {
                if self.in_header {
                    self.in_header = false;
                    self.in_secret_table = self.is_of_secret();
                }
                self.depth = self.depth.saturating_sub(1);
                self.parts.clear();
                self.at += 1;
            }
            ',' | '{' | '}' => {
                self.in_secret_braces &= c != '}';
                self.parts.clear();
                self.at += 1;
            }
            '.' => self.at += 1,
            c if is_bare(c) => {
                let end = rest.find(|c| !is_bare(c)).unwrap_or(rest.len());
                self.name(&rest[..end]);
                self.at += end;
            }
            c => self.at += c.len_utf8(),
        }
    }

    fn name(&mut self, part: &'a str) {
        let before = self.text[..self.at].trim_end_matches([' ', '\t', '"', '\'']);
        if !before.ends_with('.') {
            self.parts.clear();
        }
        self.parts.push(part);
    }

    /// A string: a part of a name, or a value.
    fn string(&mut self, quote: char) {
        let rest = self.rest();
        let triple: String = [quote; 3].iter().collect();
        let mark = if rest.starts_with(&triple) { 3 } else { 1 };
        let inner = &rest[mark..];
        let end = end_of_string(inner, &triple[..mark], quote == '"', mark == 3);
        let start = self.at + mark;
        let after = &inner[end..];
        let after = after.strip_prefix(&triple[..mark]).unwrap_or(after);
        let next = after.trim_start_matches([' ', '\t']).chars().next();
        if mark == 1 && matches!(next, Some('=' | ':' | '.')) {
            self.name(&inner[..end]);
        } else if self.secret {
            self.found.push(start..start + end);
        }
        self.at = self.text.len() - after.len();
    }

    /// Whether the name is one of a secret, and not of a part of a reference to one.
    fn is_of_secret(&self) -> bool {
        !self.refers() && self.parts.iter().any(|part| is_secret_part(part))
    }

    fn refers(&self) -> bool {
        let last = self.parts.last();
        last.is_some_and(|part| ["source", "provider", "id"].contains(part))
    }

    /// What follows a name.
    fn assign(&mut self) {
        let inside = self.in_secret_braces && !self.refers();
        self.secret = self.in_secret_table || inside || self.is_of_secret();
        self.parts.clear();
        self.at += 1;
        let rest = self.rest();
        let value = rest.trim_start_matches([' ', '\t', '=', ':']);
        self.at += rest.len() - value.len();
        if !value.starts_with(['"', '\'', '[', '{', '\n', '#']) {
            // Not quoted, as a slip.
            let end = value
                .find(['\n', ',', '}', ']', '#'])
                .unwrap_or(value.len());
            if self.secret {
                self.found
                    .push(self.at..self.at + value[..end].trim_end().len());
            }
            self.at += end;
        } else if value.starts_with('{') {
            self.in_secret_braces |= self.secret;
        }
    }
}

fn is_bare(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// OpenClaw's part `secrets` says where secrets are, and holds none.
fn is_secret_part(part: &str) -> bool {
    is_secret_name(part) && part != "secrets" || part.eq_ignore_ascii_case("headers")
}

/// Where a string ends that begins after its mark: at its mark, or with its line.
fn end_of_string(inner: &str, mark: &str, escapes: bool, of_lines: bool) -> usize {
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        if escaped {
            escaped = false;
        } else if escapes && c == '\\' {
            escaped = true;
        } else if inner[at..].starts_with(mark) || !of_lines && c == '\n' {
            return at;
        }
    }
    inner.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_what_stands_behind_the_name_of_a_secret() {
        for text in [
            "botToken = \"hunter2\"",
            "botToken = 'hunter2'",
            "botToken = \"\"\"hunter2\"\"\"",
            "botToken = hunter2",
            "botToken = \"hunter2",
            "\"botToken\": \"hunter2\",",
            "botToken: hunter2",
            "api-key = \"hunter2\"",
            "api_key=\"hunter2\" # or so",
            "API_KEYS = [\n  \"a\", # x\n  \"hunter2\"]",
            "channels.telegram.\"bot-token\" = \"hunter2\"",
            "channels . telegram . botToken = \"hunter2\"",
            "x = { y = 1, botToken = \"hunter2\", z = 2 }",
            "x = { token == \"hunter2\" }",
            "headers.X = \"hunter2\"",
            "[a.headers]\nX = \"hunter2\"",
            "headers = { A = \"hunter2\" }",
            "token = \"it is \\\" hunter2\"",
        ] {
            let (shown, hidden) = hide(text);
            assert!(!shown.contains("hunter2"), "{text}: {shown}");
            assert_eq!(shown.len(), text.len());
            assert!(hidden.iter().any(|secret| secret.contains("hunter2")));
        }
    }

    #[test]
    fn shows_what_is_no_secret() {
        for text in [
            "name = \"hunter2\"",
            "token = { source = \"store\", provider = \"default\", id = \"hunter2\" }",
            "token = \"x\"\nname = \"hunter2\"",
            "[server.token]\n[server]\nname = \"hunter2\"",
            "# token\nlabel = \"hunter2\"",
            "keep = [\"hunter2\"]",
            "secrets.providers.x.path = \"hunter2\"",
            "[a.secrets.providers.x]\npath = \"hunter2\"",
            "allowFrom = [\"123456789\", \"hunter2\"]",
        ] {
            assert!(hide(text).0.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn hides_what_looks_like_a_secret() {
        for secret in [
            "sk-0123456789abcdefghij",
            "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc",
            "https://me:word@example.org/",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ] {
            for text in [
                format!("name = \"{secret}\""),
                format!("x = [1, \"see {secret} there\"]"),
                format!("# {secret}"),
                format!("--vm {secret}"),
            ] {
                assert!(!hide(&text).0.contains(secret), "{text}");
                assert!(
                    !redact(&text, &Secrets::default()).contains(secret),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_message_does_not_quote_a_secret() {
        let secrets = ["hunter2", "correct horse battery", "1cafe2cafe3cafe"];
        let secrets = Secrets::from(secrets.map(str::to_owned).to_vec());
        assert_eq!(
            redact(
                "\"hunter2\" is not hunter2; correct horse battery!",
                &secrets
            ),
            "\"***\" is not hunter2; ***!"
        );
        // Nor does it propose a part of one.
        assert_eq!(
            redact("write \"cafe2cafe3cafe\"", &secrets),
            "write \"***\""
        );
    }

    #[test]
    fn a_message_of_the_command_line_does_not_quote_one_either() {
        let said = |line: &str| {
            let words = line.split(' ').map(str::to_owned);
            redact_arguments("invalid value 'hunter2' for it", words)
        };
        assert!(!said("build --passphrase-fd hunter2").contains("hunter2"));
        assert!(!said("build --api-key=hunter2").contains("hunter2"));
        assert!(said("build --vm hunter2").contains("hunter2"));
    }
}
