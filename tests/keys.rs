// SPDX-License-Identifier: MIT OR Apache-2.0

//! `openclaw-key`, run as a qube's user runs it.

mod support;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use support::{Built, has_program, repository, said};
use tempfile::TempDir;

const OPENAI: &str = "sk-0123456789abcdefghij";
const ANTHROPIC: &str = "sk-ant-0123456789abcdefghij";

/// A home with the command in it, of a user who is not root.
struct Home(TempDir);

impl Home {
    fn new() -> Option<Home> {
        if !has_program("setpriv") {
            return None;
        }
        let built = Built::example("openai-tunnel-standalone.toml");
        let home = Home(tempfile::tempdir().unwrap());
        let script = built.output.join(
            "dom0/srv/formulas/base/openclaw-formula/openclaw/files/usr/local/bin/openclaw-key",
        );
        fs::copy(script, home.0.path().join("openclaw-key")).unwrap();
        fs::create_dir(home.0.path().join(".openclaw")).unwrap();
        let given = Command::new("chown")
            .args(["-R", "nobody:"])
            .arg(home.0.path())
            .status();
        assert!(given.unwrap().success());
        Some(home)
    }

    fn env(&self) -> PathBuf {
        self.0.path().join(".openclaw/.env")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.env()).unwrap_or_default()
    }

    fn command(&self, before: &[&str], arguments: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "env"])
            .args(["-i", "PATH=/usr/bin:/bin"])
            .arg(format!("HOME={}", self.0.path().display()))
            .args(before)
            .arg(self.0.path().join("openclaw-key"))
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, before: &[&str], arguments: &[&str], input: &str) -> Output {
        let mut child = self.command(before, arguments).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that reads nothing may have ended.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    #[track_caller]
    fn must(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(&[], arguments, input);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    }
}

#[test]
fn a_key_is_stored_listed_and_removed() {
    let Some(home) = Home::new() else { return };
    fs::write(home.env(), "OPENCLAW_GATEWAY_TOKEN=t\n# mine\nMINE='a b'").unwrap();
    let said = home.must(&["set", "openai"], &format!("{OPENAI}\n"));
    assert_eq!(said, "The key of openai is stored.\n");
    let said = home.must(&["set", "anthropic"], ANTHROPIC);
    assert!(!said.contains(ANTHROPIC), "{said}");
    assert_eq!(
        home.text(),
        format!(
            "OPENCLAW_GATEWAY_TOKEN=t\n# mine\nMINE='a b'\nOPENAI_API_KEY={OPENAI}\n\
             ANTHROPIC_API_KEY={ANTHROPIC}\n"
        )
    );
    let mut stat = Command::new("stat");
    let owner = support::stdout(stat.args(["-c", "%a %U"]).arg(home.env()));
    assert_eq!(owner, "600 nobody\n");
    assert_eq!(home.must(&["list"], ""), "openai: set\nanthropic: set\n");

    let other = format!("{OPENAI}k");
    home.must(&["set", "openai"], &format!("  {other}\t\n"));
    assert!(home.text().contains(&format!("OPENAI_API_KEY={other}\n")));
    assert!(!home.text().contains(&format!("{OPENAI}\n")));

    home.must(&["remove", "openai"], "");
    assert_eq!(
        home.must(&["list"], ""),
        "openai: not set\nanthropic: set\n"
    );
    assert_eq!(
        home.text(),
        format!("OPENCLAW_GATEWAY_TOKEN=t\n# mine\nMINE='a b'\nANTHROPIC_API_KEY={ANTHROPIC}\n")
    );
    let output = home.run(&[], &["remove", "openai"], "");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_malformed_key_is_refused_and_not_shown() {
    let Some(home) = Home::new() else { return };
    for (provider, key, why) in [
        ("openai", "", "no key was given"),
        ("openai", "\n", "no key was given"),
        ("openai", "sk-short", "this has 8"),
        (
            "openai",
            &("sk-".to_owned() + &"x".repeat(400)),
            "this has 403",
        ),
        ("openai", "pk-0123456789abcdefghij", "begins with sk-"),
        ("anthropic", OPENAI, "begins with sk-ant-"),
        ("openai", "sk-0123456789 abcdefghij", "another character"),
        ("openai", "sk-0123456789;id>/tmp/x;abc", "another character"),
        (
            "openai",
            "sk-$(id)0123456789abcdefghij",
            "another character",
        ),
        ("openai", "sk-0123456789äabcdefghij", "another character"),
        ("openai", "sk-0123456789abcdefghij\r\n", "another character"),
        ("openai", "sk-0123456789abcdefghij\nmore\n", "is one line"),
    ] {
        let output = home.run(&[], &["set", provider], key);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{key:?}: {said}");
        assert!(said.contains(why), "{key:?}: {said}");
        assert!(
            key.trim().is_empty() || !said.contains(key.trim()),
            "{said}"
        );
        assert!(!home.env().exists(), "{key:?}");
    }
}

#[test]
fn wrong_use_is_explained() {
    let Some(home) = Home::new() else { return };
    for arguments in [
        &[][..],
        &["set"],
        &["get", "openai"],
        &["set", "openai", OPENAI],
        &["set", "mistral"],
        &["set", "cursor"],
        &["set", "ollama"],
        &["set", "openai;id"],
    ] {
        let output = home.run(&[], arguments, "");
        let said = said(&output);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {said}");
        assert!(said.contains("Usage: openclaw-key set"), "{said}");
    }
    assert!(home.must(&["--help"], "").contains("Usage"));
}

#[test]
fn a_key_that_is_typed_is_not_shown() {
    let Some(home) = Home::new() else { return };
    let terminal = repository().join("tests/support/terminal.py");
    let terminal = ["/usr/bin/python3", terminal.to_str().unwrap()];
    let output = home.run(&terminal, &["set", "openai"], &format!("{OPENAI}\n"));
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.starts_with("OPENAI_API_KEY: \r\n"), "{said}");
    assert!(!said.contains(OPENAI), "{said}");
    assert_eq!(home.text(), format!("OPENAI_API_KEY={OPENAI}\n"));
}

#[test]
fn with_a_full_disk_the_keys_stay() {
    let Some(home) = Home::new() else { return };
    fs::write(home.env(), "MINE=kept\n").unwrap();
    home.must(&["set", "openai"], OPENAI);
    let before = home.text();
    // No file may grow past nothing, and the signal that says so is ignored.
    let limited = ["sh", "-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"];
    for arguments in [["set", "anthropic"], ["remove", "openai"]] {
        let output = home.run(&limited, &arguments, ANTHROPIC);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("is the disk full?"), "{said}");
        assert_eq!(home.text(), before);
        assert_eq!(
            fs::read_dir(home.0.path().join(".openclaw"))
                .unwrap()
                .count(),
            1
        );
    }
}

#[test]
fn without_openclaws_folder_it_says_what_to_do() {
    let Some(home) = Home::new() else { return };
    fs::remove_dir(home.0.path().join(".openclaw")).unwrap();
    let output = home.run(&[], &["list"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("apply openclaw.configure"));
}
