// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the program costs, in instructions, which a busy machine does not change: callgrind counts
//! those of the release build, for one server and for a hundred.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{repository, said, stdout};

/// The figures to keep to, a line each: what is run, for how many servers, millions of
/// instructions. `INSTA_UPDATE=always tests/run cost::` records those of now.
const RECORDED: &str = "tests/snapshots/cost.txt";

/// How far a figure may be from the recorded one, in parts of a hundred.
const TOLERANCE: f64 = 3.0;

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn the_program_costs_what_it_did() {
    let program = release();
    let mut costs = BTreeMap::new();
    for servers in [1, 100] {
        for command in ["check", "build", "package"] {
            let millions = instructions(&program, command, servers) as f64 / 1e6;
            costs.insert(format!("{command} {servers}"), millions);
        }
    }
    let path = repository().join(RECORDED);
    if std::env::var("INSTA_UPDATE").is_ok_and(|word| word == "always") {
        let mut text = String::new();
        for (what, millions) in &costs {
            writeln!(text, "{what} {millions:.3}").unwrap();
        }
        fs::write(&path, text).unwrap();
    }
    let text = fs::read_to_string(&path).unwrap();
    let recorded: BTreeMap<String, f64> = text
        .lines()
        .map(|line| {
            let (what, millions) = line.rsplit_once(' ').unwrap();
            (what.to_owned(), millions.parse().unwrap())
        })
        .collect();
    let mut table = String::new();
    let mut moved = recorded.len() != costs.len();
    for (what, millions) in &costs {
        let before = recorded.get(what).copied().unwrap_or(f64::NAN);
        let change = 100.0 * (millions / before - 1.0);
        // Also one that is not recorded, which is no number.
        let within = change.abs() <= TOLERANCE;
        moved |= !within;
        let mark = if within { "" } else { "  <--" };
        writeln!(
            table,
            "{what:12} {before:9.1} -> {millions:9.1} million ({change:+.1}%){mark}"
        )
        .unwrap();
    }
    eprintln!("{table}");
    assert!(
        !moved,
        "recorded -> now, by {}:\n{table}\
         If that is what a change is worth, record it: INSTA_UPDATE=always tests/run cost::",
        stdout(Command::new("rustc").arg("--version")).trim()
    );
}

/// The release build of what is tested here.
fn release() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "--locked", "--message-format=json"]);
    build.current_dir(repository());
    let messages = stdout(&mut build);
    let program = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    program.expect("cargo names the program")
}

/// How many instructions a run takes.
fn instructions(program: &Path, command: &str, servers: usize) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for number in 0..servers {
        let (gateway, proxy) = (20000 + number, 30000 + number);
        writeln!(
            text,
            "[[server]]\nname = \"claw-{number}\"\nclients = [\"work\"]\n\
             ports = {{ gateway = {gateway}, proxy = {proxy} }}"
        )
        .unwrap();
    }
    fs::write(folder.path().join("openclaw.toml"), text).unwrap();
    let mut counted = Command::new("valgrind");
    counted
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([command, "openclaw.toml"])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", "/usr/bin");
    if command != "check" {
        counted.args(["--output", "out"]);
    }
    let output = counted.output().unwrap();
    let said = said(&output);
    assert!(output.status.success(), "{command} {servers}: {said}");
    let count = said
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    count
        .unwrap_or_else(|| panic!("{said}"))
        .1
        .trim()
        .parse()
        .unwrap()
}
