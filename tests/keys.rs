// SPDX-License-Identifier: MIT OR Apache-2.0

//! `openclaw-key`, run as a qube's user runs it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::home::Home;
use crate::support::{self, Built, repository, said};
use serde_json::json;

const OPENAI: &str = "sk-0123456789abcdefghij";
const ANTHROPIC: &str = "sk-ant-0123456789abcdefghij";

/// The home of a server that uses Anthropic.
fn home() -> Home {
    let home = Home::new(Built::example("anthropic-tunnel-standalone.toml"));
    home.configure(&json!({ "models": { "providers": { "anthropic": {} } } }));
    home.write(
        ".openclaw/openclaw.json",
        json!({ "agents": { "defaults": { "model": "anthropic/claude-opus-5" } } }).to_string(),
    );
    home
}

#[track_caller]
fn set(home: &Home, provider: &str, input: &str) -> String {
    let output = home.run(&[], "openclaw-key", &["set", provider], input);
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

fn list(home: &Home) -> String {
    home.must("openclaw-key", &["list"])
}

/// Runs `openclaw-key wait` as the gateway's unit does; what the gateway's environment would have.
#[track_caller]
fn wait(home: &Home) -> (String, String) {
    let folder = home.path("run");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    home.give();
    let variable = format!("RUNTIME_DIRECTORY={}", folder.display());
    let output = home.run(
        &["env", &variable, "timeout", "20"],
        "openclaw-key",
        &["wait"],
        "",
    );
    assert!(output.status.success(), "it waits: {}", said(&output));
    assert_eq!(home.mode("run/env"), "600 nobody\n");
    (home.text("run/env"), said(&output))
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_key_is_stored_listed_and_removed() {
    let home = home();
    let mine = "OPENCLAW_GATEWAY_TOKEN=t\n# mine\nMINE='a b'";
    home.write(".openclaw/.env", mine);
    assert_eq!(
        set(&home, "openai", &format!("{OPENAI}\n")),
        "The key of openai is stored.\n"
    );
    let said_then = set(&home, "anthropic", ANTHROPIC);
    assert!(!said_then.contains(ANTHROPIC), "{said_then}");
    assert_eq!(home.text(".openclaw/keys/openai"), format!("{OPENAI}\n"));
    assert_eq!(
        home.text(".openclaw/keys/anthropic"),
        format!("{ANTHROPIC}\n")
    );
    assert_eq!(home.mode(".openclaw/keys/anthropic"), "600 nobody\n");
    assert_eq!(home.mode(".openclaw/keys"), "700 nobody\n");
    assert_eq!(list(&home), "openai: set, not in use\nanthropic: set\n");

    let other = format!("{OPENAI}k");
    set(&home, "openai", &format!("  {other}\t\n"));
    assert_eq!(home.text(".openclaw/keys/openai"), format!("{other}\n"));

    home.must("openclaw-key", &["remove", "openai"]);
    assert_eq!(list(&home), "openai: not set\nanthropic: set\n");
    assert_eq!(home.names(".openclaw/keys"), ["anthropic"]);
    assert_eq!(home.text(".openclaw/.env"), mine);
    let refused = home.refuses("openclaw-key", &["remove", "openai"], 1);
    assert_eq!(refused, "openclaw-key: no key of openai is set\n");
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_malformed_key_is_refused_and_not_shown() {
    let home = home();
    let long = format!("sk-{}", "x".repeat(400));
    let endless = "x".repeat(5000);
    for (provider, key, why) in [
        ("openai", "", "no key was given"),
        ("openai", "\n", "no key was given"),
        ("openai", "sk-short", "this has 8"),
        ("openai", &long, "this has 403"),
        ("openai", &endless, "this has more"),
        ("openai", "pk-0123456789abcdefghij", "begins with sk-"),
        ("anthropic", OPENAI, "this is a key of OpenAI"),
        (
            "openai",
            ANTHROPIC,
            "this is a key of Anthropic, which begins with sk-ant-",
        ),
        (
            "openai",
            "sk-or-v1-0123456789abcdefghij",
            "this is a key of OpenRouter",
        ),
        (
            "anthropic",
            "sk-or-v1-0123456789abcdefghij",
            "this is a key of OpenRouter",
        ),
        (
            "anthropic",
            "AIza0123456789abcdefghij",
            "this is a key of Google",
        ),
        ("openai", "xai-0123456789abcdefghij", "this is a key of xAI"),
        ("openai", "sk-0123456789 abcdefghij", "another character"),
        ("openai", "sk-0123456789;id>/tmp/x;abc", "another character"),
        (
            "openai",
            "sk-$(id)0123456789abcdefghij",
            "another character",
        ),
        ("openai", "sk-0123456789äabcdefghij", "another character"),
        ("openai", "sk-0123456789'abcdefghij", "another character"),
        ("openai", "sk-0123456789abcdefghij\r\n", "another character"),
        ("openai", "sk-0123456789abcdefghij\nmore\n", "is one line"),
    ] {
        let output = home.run(&[], "openclaw-key", &["set", provider], key);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{key:?}: {said}");
        assert!(said.contains(why), "{key:?}: {said}");
        assert!(
            key.trim().is_empty() || !said.contains(key.trim()),
            "{said}"
        );
        assert!(!home.path(".openclaw/keys").exists(), "{key:?}");
    }
    // What begins like another provider's and is none: all that each gives out itself.
    for (provider, key) in [
        ("openai", "sk-proj-0123456789abcdefghij"),
        ("openai", "sk-svcacct-0123456789abcdefghij"),
        ("anthropic", "sk-ant-api03-0123456789abcdefghij"),
        ("anthropic", "sk-ant-oat01-0123456789abcdefghij"),
    ] {
        set(&home, provider, key);
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn wrong_use_is_explained() {
    let home = home();
    for arguments in [
        &[][..],
        &["set"],
        &["get", "openai"],
        &["list", "openai"],
        &["set", "openai", OPENAI],
        &["set", "mistral"],
        &["set", "cursor"],
        &["set", "ollama"],
        &["set", "openai;id"],
        &["set", "__proto__"],
    ] {
        let said = home.refuses("openclaw-key", arguments, 64);
        assert!(said.contains("Usage: openclaw-key set"), "{said}");
    }
    assert!(home.must("openclaw-key", &["--help"]).contains("Usage"));
    fs::remove_dir_all(home.path(".openclaw")).unwrap();
    let said = home.refuses("openclaw-key", &["list"], 1);
    assert!(said.contains("apply openclaw.configure"), "{said}");
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_key_that_is_typed_is_not_shown() {
    let home = home();
    let terminal = repository().join("tests/support/terminal.py");
    let terminal = ["/usr/bin/python3", terminal.to_str().unwrap()];
    let output = home.run(
        &terminal,
        "openclaw-key",
        &["set", "openai"],
        &format!("{OPENAI}\n"),
    );
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.starts_with("OPENAI_API_KEY: "), "{said}");
    assert!(!said.contains(OPENAI), "{said}");
    assert_eq!(home.text(".openclaw/keys/openai"), format!("{OPENAI}\n"));
    // Interrupted, it stores nothing.
    let output = home.run(
        &terminal,
        "openclaw-key",
        &["set", "openai"],
        "sk-other\u{3}",
    );
    assert_eq!(
        home.text(".openclaw/keys/openai"),
        format!("{OPENAI}\n"),
        "{output:?}"
    );
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn with_a_full_disk_the_keys_stay() {
    let home = home();
    set(&home, "openai", OPENAI);
    home.write(
        ".openclaw/.env",
        format!("MINE=kept\nANTHROPIC_API_KEY={ANTHROPIC}\n"),
    );
    let before = home.text(".openclaw/.env");
    for arguments in [&["set", "anthropic"][..], &["remove", "openai"], &["move"]] {
        let output = home.run(&Home::full_disk(), "openclaw-key", arguments, ANTHROPIC);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("stays as it is: "), "{said}");
        assert_eq!(home.text(".openclaw/.env"), before);
        assert_eq!(home.names(".openclaw/keys"), ["openai"]);
        assert_eq!(home.text(".openclaw/keys/openai"), format!("{OPENAI}\n"));
    }
}

/// Keys in the file that OpenClaw reads whole, in each form that its parser takes.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn keys_that_openclaw_would_find_are_moved() {
    let home = home();
    let others = "OPENCLAW_GATEWAY_TOKEN=t\n\n# OPENAI_API_KEY=commented\nMY_OPENAI_API_KEY=kept\r\n\
                  LINES=\"one\ntwo\"\n";
    for line in [
        format!("OPENAI_API_KEY={OPENAI}"),
        format!("export OPENAI_API_KEY={OPENAI}"),
        format!("  export  OPENAI_API_KEY = \"{OPENAI}\"  # of mine"),
        format!("OPENAI_API_KEY='{OPENAI}'\r"),
        format!("OPENAI_API_KEY: {OPENAI}"),
        format!("OPENAI_API_KEY=older\nOPENAI_API_KEY=`{OPENAI}`"),
    ] {
        for file in [".openclaw/.env", ".config/openclaw/gateway.env"] {
            let _ = fs::remove_dir_all(home.path(".openclaw/keys"));
            home.write(file, format!("{line}\n{others}"));
            let said = home.must("openclaw-key", &["move"]);
            assert_eq!(
                said,
                format!(
                    "openclaw-key: OPENAI_API_KEY is moved from ~/{file} to ~/.openclaw/keys/openai\n"
                ),
                "{line}"
            );
            assert_eq!(home.text(file), others, "{line}");
            assert_eq!(
                home.text(".openclaw/keys/openai"),
                format!("{OPENAI}\n"),
                "{line}"
            );
            assert_eq!(home.must("openclaw-key", &["move"]), "");
        }
    }

    // One that was written by hand later is the newer one.
    let newer = format!("{OPENAI}-newer");
    home.write(".openclaw/.env", format!("OPENAI_API_KEY={newer}\n"));
    let (environment, said) = wait_with_anthropic(&home);
    assert!(said.contains("OPENAI_API_KEY is moved"), "{said}");
    assert_eq!(home.text(".openclaw/keys/openai"), format!("{newer}\n"));
    assert_eq!(environment, format!("ANTHROPIC_API_KEY='{ANTHROPIC}'\n"));

    // What cannot be taken out line by line stays, and is said to.
    for text in [
        "OPENAI_API_KEY=\"sk-one\ntwo\"\n".to_owned(),
        format!("TEXT='\nOPENAI_API_KEY={OPENAI}\n'\nOPENAI_API_KEY={OPENAI}\n"),
    ] {
        home.write(".openclaw/.env", &text);
        let said = home.refuses("openclaw-key", &["move"], 1);
        assert!(
            said.contains("OPENAI_API_KEY is left in ~/.openclaw/.env"),
            "{said}"
        );
        assert!(!said.contains("sk-"), "{said}");
        assert_eq!(home.text(".openclaw/.env"), text);
    }
}

fn wait_with_anthropic(home: &Home) -> (String, String) {
    home.write(".openclaw/keys/anthropic", format!("{ANTHROPIC}\n"));
    wait(home)
}

/// A provider's key is in the environment only while the provider is in use; going back to it needs
/// no new key.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn the_gateway_gets_the_keys_of_its_providers_only() {
    let home = home();
    set(&home, "openai", OPENAI);
    set(&home, "anthropic", ANTHROPIC);
    let (openai, anthropic) = (
        format!("OPENAI_API_KEY='{OPENAI}'\n"),
        format!("ANTHROPIC_API_KEY='{ANTHROPIC}'\n"),
    );
    assert_eq!(wait(&home).0, anthropic);

    // The model of another one, which the user chose for a time.
    home.must("openclaw-provider", &["use", "openai"]);
    assert_eq!(wait(&home).0, format!("{openai}{anthropic}"));
    home.must("openclaw-provider", &["use", "anthropic"]);
    assert_eq!(wait(&home).0, anthropic);

    // Configured anew: what is left of the former one in the file is no use of it.
    home.configure(&json!({ "models": { "providers": { "cursor": {} } } }));
    home.write(
        ".openclaw/openclaw.json",
        json!({
            "agents": { "defaults": { "model": { "primary": "cursor/auto" } } },
            "models": { "providers": { "openai": {}, "anthropic": {} } },
        })
        .to_string(),
    );
    assert_eq!(wait(&home).0, "");

    // What cannot be read has only the configured ones given.
    home.configure(&json!({ "models": { "providers": { "openai": {} } } }));
    home.write(".openclaw/openclaw.json", "{ broken");
    let (environment, said) = wait(&home);
    assert_eq!(environment, openai);
    assert!(said.contains("~/.openclaw/openclaw.json:1:"), "{said}");
}

/// Whose key the gateway waits for, for each way to write the model.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn it_waits_for_the_key_of_the_model_that_openclaw_uses() {
    let home = home();
    let cases = [
        (
            "{ agents: { defaults: { imageModel: { primary: 'openai/x' }, model: { primary: 'anthropic/claude-opus-5' } } } }",
            "anthropic",
        ),
        ("{ agents: { defaults: { model: 'openai/x' } } }", "openai"),
        (
            "{ agents: { defaults: { model: { primary: ' OpenAI/x ' } } } }",
            "openai",
        ),
        ("{ agents: { defaults: { model: 'x-ai/grok' } } }", "x-ai"),
        (
            "{ agents: { defaults: { model: 'openrouter/anthropic/claude-opus-5' } } }",
            "openrouter",
        ),
        (
            "{ agents: { defaults: { model: 'openrouter:auto' } } }",
            "openrouter",
        ),
        (
            "{ agents: { defaults: { model: 'cursor/auto' } } }",
            "cursor",
        ),
        ("{ agents: { defaults: {} } }", ""),
        ("{}", ""),
        // By its alias, with a login, and without its provider.
        (
            "{ agents: { defaults: { model: 'Best', models: { 'anthropic/claude-opus-5': { alias: 'best' } } } } }",
            "anthropic",
        ),
        (
            "{ agents: { defaults: { model: 'openai/x@work' } } }",
            "openai",
        ),
        (
            "{ agents: { defaults: { model: 'some' } }, models: { providers: { anthropic: { models: [{ id: 'some' }] } } } }",
            "anthropic",
        ),
        ("{ agents: { defaults: { model: 'unknown' } } }", "openai"),
        // The one agent's own.
        (
            "{ agents: { defaults: { model: 'cursor/auto' }, entries: { main: { model: 'anthropic/x' } } } }",
            "anthropic",
        ),
        (
            "{ agents: { defaults: { model: 'cursor/auto' }, list: [{ id: 'main', model: { primary: 'openai/x' } }] } }",
            "openai",
        ),
    ];
    let texts: Vec<_> = cases.iter().map(|(settings, _)| *settings).collect();
    let found = home.with_module(
        "configuration.cjs",
        "(it, texts) => texts.map((text) => it.provider(it.parse('x', text)))",
        &json!(texts),
    );
    for ((settings, expected), found) in cases.iter().zip(found.as_array().unwrap()) {
        assert_eq!(found, expected, "{settings}");
    }

    // It waits for that one, and for no other.
    for (model, waits) in [("anthropic/claude-opus-5", true), ("x-ai/grok", false)] {
        let settings = format!(
            "{{ agents: {{ defaults: {{ imageModel: {{ primary: 'openai/x' }}, model: '{model}' }} }} }}"
        );
        home.write(".openclaw/openclaw.json", settings);
        let limit = if waits { "1" } else { "30" };
        let output = home.run(&["timeout", limit], "openclaw-key", &["wait"], "");
        assert_eq!(
            output.status.code() == Some(124),
            waits,
            "{}",
            said(&output)
        );
    }
}

/// A key that is no file, or holds no key, keeps the gateway waiting, and does not hang the tool.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_file_that_holds_no_key_is_none() {
    let home = home();
    fs::create_dir_all(home.path(".openclaw/keys")).unwrap();
    let file = home.path(".openclaw/keys/anthropic");
    let cases: [&dyn Fn(); 5] = [
        &|| {
            assert!(
                Command::new("mkfifo")
                    .arg(&file)
                    .status()
                    .unwrap()
                    .success()
            )
        },
        &|| fs::create_dir(&file).unwrap(),
        &|| fs::write(&file, "it's\n").unwrap(),
        &|| fs::write(&file, "a\nB=c\n").unwrap(),
        &|| fs::write(&file, "x".repeat(10_000_000)).unwrap(),
    ];
    for (number, make) in cases.iter().enumerate() {
        make();
        home.give();
        let started = Instant::now();
        assert!(list(&home).contains("\nanthropic: not set\n"), "{number}");
        assert!(started.elapsed() < Duration::from_secs(10));
        let output = home.run(&["timeout", "0.7"], "openclaw-key", &["wait"], "");
        assert_eq!(
            output.status.code(),
            Some(124),
            "{number}: {}",
            said(&output)
        );
        let _ = fs::remove_dir(&file);
        let _ = fs::remove_file(&file);
    }
    // One that is entered while it waits ends that.
    let mut waiting = home.command(&[], "openclaw-key", &["wait"]);
    let mut waiting = waiting.stdin(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(waiting.try_wait().unwrap().is_none());
    set(&home, "anthropic", ANTHROPIC);
    assert!(waiting.wait().unwrap().success());
}

/// Without a home in the environment, the user's is meant; root is nobody's user.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn it_knows_whose_keys_these_are() {
    let home = home();
    let output = home.run(&["env", "-u", "HOME"], "openclaw-key", &["list"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("is missing"), "{}", said(&output));
    let tool = home.folder().join("local/bin/openclaw-key");
    let output = Command::new(support::npm::node())
        .arg(tool)
        .arg("list")
        .env("HOME", home.path(""))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("not as root"), "{}", said(&output));
}
