// SPDX-License-Identifier: MIT OR Apache-2.0

//! Bad input: each case with its whole message, exit status 2, and nothing written.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::support::bad_configurations::{REFUSED, WARNED};
use crate::support::{self, said, tool};

/// No message shows any of these, which are secrets in the cases above.
const SECRETS: [&str; 9] = [
    "0123456789abcdef",
    "8315162342",
    "battery",
    "correct",
    "dom0-local",
    "horse",
    "hunter2",
    "me:word",
    "proj-",
];

#[test]
fn no_message_shows_a_secret() {
    let mut shown = 0;
    for (_, config) in REFUSED.iter().chain(WARNED) {
        let secrets = SECRETS.iter().filter(|secret| config.contains(**secret));
        let secrets: Vec<_> = secrets.collect();
        if secrets.is_empty() {
            continue;
        }
        let folder = with_config(config);
        for arguments in [
            "check openclaw.toml",
            "plan openclaw.toml",
            "plan --json openclaw.toml",
        ] {
            let mut command = tool();
            let output = command
                .current_dir(folder.path())
                .args(arguments.split(' '))
                .output()
                .unwrap();
            let said = said(&output);
            for secret in &secrets {
                assert!(!said.contains(**secret), "{secret}: {said}");
                shown += 1;
            }
        }
    }
    assert!(shown > 20, "{shown}");
    for (_, options) in REFUSED_OPTIONS {
        let folder = tempfile::tempdir().unwrap();
        let mut command = tool();
        command
            .args(["build", "--output", "out"])
            .args(options.split(' '));
        let message = refusal(folder.path(), &mut command);
        for secret in SECRETS {
            assert!(!message.contains(secret), "{secret}: {message}");
        }
    }
}

/// Options that are refused, one argument a word.
const REFUSED_OPTIONS: &[(&str, &str)] = &[
    ("option_unknown", "--vmm ai"),
    ("option_bad_name", "--vm my/ai --label pink"),
    ("option_bad_port", "--gateway-port http"),
    ("option_bad_boolean", "--autostart yes"),
    (
        "option_bad_allow_from",
        "--mode network --ip 192.168.1.50 --allow-from 192.168.1.0/24,192.168.2.1/24",
    ),
    ("option_bad_client", "--client work --client -x"),
    ("option_network_without_ip", "--vm ai --mode network"),
    ("option_twice", "--vm a --vm b"),
    ("option_bad_release", "--release one"),
    (
        "option_is_a_secret",
        "--vm sk-proj-0123456789abcdefghij --label 0123456789abcdef0123456789abcdef",
    ),
    ("option_unknown_for_a_secret", "--api-key=hunter2"),
    ("option_of_a_secret", "--passphrase-fd hunter2"),
];

/// The paths below a folder.
fn listing(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.insert(path.display().to_string());
            if path.is_dir() {
                left.push(path);
            }
        }
    }
    found
}

/// Runs a command in a folder; fails unless it refuses its input and writes nothing.
#[track_caller]
fn refusal(folder: &Path, command: &mut Command) -> String {
    let before = listing(folder);
    let output = command.current_dir(folder).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(2),
        "{command:?}: {}",
        said(&output)
    );
    assert!(output.stdout.is_empty(), "{}", said(&output));
    assert_eq!(listing(folder), before, "something was written");
    String::from_utf8(output.stderr).unwrap()
}

fn with_config(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("openclaw.toml"), config).unwrap();
    folder
}

fn build(config: &str) -> (tempfile::TempDir, Command) {
    let mut command = tool();
    command.args(["build", "openclaw.toml", "--output", "out"]);
    (with_config(config), command)
}

/// What `build` says of each of `REFUSED`, in its order.
static MESSAGES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let messages = REFUSED.iter().map(|(_, config)| {
        let (folder, mut command) = build(config);
        refusal(folder.path(), &mut command)
    });
    messages.collect()
});

#[test]
fn every_bad_configuration_has_its_message() {
    for (number, (name, config)) in REFUSED.iter().enumerate() {
        let message = &MESSAGES[number];
        insta::assert_snapshot!(*name, format!("{config}\n----\n{message}"));
        for other in ["check", "plan"] {
            let folder = with_config(config);
            let refused = refusal(folder.path(), tool().args([other, "openclaw.toml"]));
            assert_eq!(refused, *message, "{name}");
        }
        for part in ["rule: ", "help: ", " --> openclaw.toml:"] {
            assert!(message.contains(part), "{name}: no {part:?}: {message}");
        }
    }
}

#[test]
fn every_warning_has_its_message() {
    for (name, config) in WARNED {
        let folder = with_config(config);
        let output: Output = tool()
            .current_dir(folder.path())
            .args(["check", "openclaw.toml"])
            .output()
            .unwrap();
        assert!(output.status.success() && output.stdout.is_empty());
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.starts_with("warning: "), "{message}");
        insta::assert_snapshot!(*name, format!("{config}\n----\n{message}"));

        let mut plan = tool();
        plan.current_dir(folder.path())
            .args(["plan", "--who-can-reach", "openclaw.toml"]);
        let warning = String::from_utf8(plan.output().unwrap().stderr).unwrap();
        assert!(warning.starts_with("warning: "), "{warning}");
        assert!(message.starts_with(&warning), "{warning}");
    }
}

#[test]
fn every_bad_option_has_its_message() {
    for (name, options) in REFUSED_OPTIONS {
        let folder = tempfile::tempdir().unwrap();
        let mut command = tool();
        command
            .args(["build", "--output", "out"])
            .args(options.split(' '));
        let message = refusal(folder.path(), &mut command);
        insta::assert_snapshot!(*name, format!("{options}\n----\n{message}"));
    }
}

/// Where the help says `write "…"`, that is taken in the place of the offending text.
#[test]
fn the_proposed_word_is_accepted() {
    let mut tried = 0;
    for ((name, config), message) in REFUSED.iter().zip(&*MESSAGES) {
        let one_finding = message.matches("error: ").count() == 1;
        let proposed = message
            .lines()
            .filter_map(|line| line.split("help: write ").nth(1))
            .filter(|help| !help.contains(" = ") && !help.starts_with("one of"))
            .filter(|help| !help.contains('…'))
            .filter_map(|help| help.split('"').nth(1))
            .find(|_| one_finding);
        let line = message
            .lines()
            .find_map(|line| line.split("openclaw.toml:").nth(1))
            .and_then(|place| place.split(':').next()?.trim().parse::<usize>().ok());
        let (Some(word), Some(line)) = (proposed, line) else {
            continue;
        };
        let lines: Vec<_> = config.lines().collect();
        let offending = lines[line - 1];
        let Some((key, value)) = offending.split_once(" = ") else {
            continue;
        };
        // Where the key is at fault, the word is a key.
        if !value.starts_with('"') || name.starts_with("key_") {
            continue;
        }
        let mended = config.replace(offending, &format!("{key} = \"{word}\""));
        let folder = with_config(&mended);
        let output = tool()
            .current_dir(folder.path())
            .args(["check", "openclaw.toml"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {mended}{}", said(&output));
        tried += 1;
    }
    assert!(tried > 15, "only {tried}");
}

#[test]
fn a_file_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let message = refusal(folder.path(), tool().args(["check", "missing.toml"]));
    insta::assert_snapshot!(message, @"
    error: missing.toml: No such file or directory (os error 2)
    help: name a configuration that can be read, or let `openclaw-formula init` write one
    ");
}

#[test]
fn a_file_that_is_not_text() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("openclaw.toml"),
        b"[[server]]\nname = \"\xff\"\n",
    )
    .unwrap();
    let message = refusal(folder.path(), tool().args(["check", "openclaw.toml"]));
    insta::assert_snapshot!(message, @"
    error: openclaw.toml:2:9: the byte 0xff is not UTF-8
    rule: a configuration is a TOML file, which is text in UTF-8
    help: save the file as UTF-8
    ");
}

#[test]
fn a_bad_source_date_epoch() {
    let folder = tempfile::tempdir().unwrap();
    for (value, name) in [("yesterday", "epoch_word"), ("-1", "epoch_negative")] {
        let mut command = tool();
        command
            .args(["build", "--output", "out"])
            .env("SOURCE_DATE_EPOCH", value);
        insta::assert_snapshot!(name, refusal(folder.path(), &mut command));
    }
    let mut command = tool();
    command
        .args(["build", "--output", "out"])
        .env("SOURCE_DATE_EPOCH", "4294967295");
    let message = refusal(folder.path(), &mut command);
    assert!(message.starts_with("error: the packages' time, 4294967295, is in the future"));
}

#[test]
fn an_output_that_is_somebody_elses() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("out/letter"), "dear").unwrap();
    let build = || {
        let mut command = tool();
        command.args(["build", "--output", "out"]);
        command
    };
    let message = refusal(folder.path(), &mut build());
    insta::assert_snapshot!("output_of_somebody_else", message);
    assert_eq!(
        fs::read_to_string(folder.path().join("out/letter")).unwrap(),
        "dear"
    );

    fs::write(folder.path().join("file"), "").unwrap();
    let message = refusal(folder.path(), tool().args(["generate", "--output", "file"]));
    insta::assert_snapshot!("output_is_a_file", message);
}

#[test]
fn an_output_that_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    let build = || {
        let mut command = tool();
        command
            .current_dir(folder.path())
            .args(["build", "--output", "out"]);
        command
    };
    support::stdout(&mut build());
    let conf = folder
        .path()
        .join("out/dom0/etc/salt/minion.d/formula-openclaw.conf");
    fs::write(&conf, "mine").unwrap();
    fs::write(folder.path().join("out/notes"), "mine").unwrap();
    let message = refusal(folder.path(), &mut build());
    insta::assert_snapshot!("output_was_changed", message);
    assert_eq!(fs::read_to_string(conf).unwrap(), "mine");
}

#[test]
fn what_cannot_be_verified() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("MANIFEST.json"), "{}").unwrap();
    fs::write(folder.path().join("x.rpm"), "not an rpm").unwrap();
    for (name, path) in [("verify_no_manifest", "."), ("verify_nothing", "nowhere")] {
        insta::assert_snapshot!(name, refusal(folder.path(), tool().args(["verify", path])));
    }
}

#[test]
fn an_option_where_there_are_several_servers() {
    let folder = with_config(
        "[[server]]\nname = \"a\"\n[[server]]\nname = \"b\"\nports = { proxy = 1025, gateway = 1024 }\n",
    );
    let mut command = tool();
    command.args(["check", "openclaw.toml", "--label", "red"]);
    insta::assert_snapshot!("option_for_several", refusal(folder.path(), &mut command));
}
