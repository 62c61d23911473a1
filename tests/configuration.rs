// SPDX-License-Identifier: MIT OR Apache-2.0

//! What follows from the keys: the schema that editors use, and the file that `init` writes.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::bad_configurations::{REFUSED, WARNED};
use crate::support::{examples, from_setup, repository, said, stdout, tool};

/// Whether `check` takes a configuration.
fn is_taken(folder: &std::path::Path, text: &str) -> bool {
    let path = folder.join("tried.toml");
    fs::write(&path, text).unwrap();
    tool()
        .arg("check")
        .arg(path)
        .output()
        .unwrap()
        .status
        .success()
}

/// A validator of JSON Schema agrees with the program: what the program takes is valid, and so are
/// the configurations that break a rule no schema can say; the others are refused by both.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn the_schema_takes_what_the_program_takes() {
    const VALIDATE: &str = "import json, sys, tomllib\n\
        from jsonschema import Draft7Validator\n\
        schema = json.load(open(sys.argv[1]))\n\
        Draft7Validator.check_schema(schema)\n\
        validator = Draft7Validator(schema)\n\
        for text in json.load(open(sys.argv[2])):\n\
        \x20   try: document = tomllib.loads(text)\n\
        \x20   except (tomllib.TOMLDecodeError, ValueError): print('unreadable'); continue\n\
        \x20   print('valid' if validator.is_valid(document) else 'invalid')\n";
    let folder = tempfile::tempdir().unwrap();
    let mut texts: Vec<String> = examples()
        .iter()
        .map(|name| fs::read_to_string(repository().join("examples").join(name)).unwrap())
        .collect();
    texts.push(stdout(tool().args(["init", "-"])));
    let corpus = REFUSED.iter().chain(WARNED);
    texts.extend(corpus.map(|(_, text)| (*text).to_owned()));

    let (schema, list) = (folder.path().join("schema"), folder.path().join("list"));
    fs::write(&schema, stdout(tool().arg("schema"))).unwrap();
    fs::write(&list, serde_json::to_string(&texts).unwrap()).unwrap();
    let verdicts = stdout(
        Command::new(from_setup("lint").join("bin/python"))
            .args(["-c", VALIDATE])
            .args([&schema, &list]),
    );
    let verdicts: Vec<_> = verdicts.lines().collect();
    assert_eq!(verdicts.len(), texts.len());
    let mut refused = 0;
    for (text, verdict) in texts.iter().zip(verdicts) {
        if is_taken(folder.path(), text) {
            assert_eq!(verdict, "valid", "{text}");
        } else if verdict == "invalid" {
            refused += 1;
        }
    }
    assert!(refused > 25, "the schema refuses only {refused}");
    for unknown in ["[[server]]\nnam = \"x\"\n", "[package]\nname = \"x\"\n"] {
        assert!(!is_taken(folder.path(), unknown));
    }
}

#[test]
fn the_schema_has_every_option() {
    let schema: Value = serde_json::from_str(&stdout(tool().arg("schema"))).unwrap();
    let server = &schema["properties"]["server"]["items"]["properties"];
    let package = &schema["properties"]["package"]["properties"];
    let keys = server.as_object().unwrap().len() + package.as_object().unwrap().len();
    let help = stdout(tool().args(["init", "--help"]));
    let options = help
        .lines()
        .filter(|line| line.trim_start().starts_with("--"))
        .count();
    // Both ports are in one key, and three keys have no option.
    assert_eq!(keys, options - 2 + 1 + 3);
    assert_eq!(server["label"]["enum"][0], "red");
    assert_eq!(server["memory"]["minimum"], 400);
    assert_eq!(server["ports"]["properties"]["gateway"]["maximum"], 65535);
}

/// What a line of `init` says in a comment is what is so without it.
#[test]
fn what_init_shows_as_a_default_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let plan = |text: &str| {
        let path = folder.path().join("tried.toml");
        fs::write(&path, text).unwrap();
        stdout(tool().args(["plan", "--json"]).arg(path))
    };
    for (options, least) in [
        (&[][..], 15),
        (&["--mode", "network", "--ip", "192.168.1.9"], 14),
        (&["--provider", "openai,ollama", "--class", "app"], 14),
    ] {
        let written = stdout(tool().args(["init", "-"]).args(options));
        let expected = plan(&written);
        let mut tried = 0;
        for line in written.lines() {
            let Some(setting) = line.strip_prefix("# ") else {
                continue;
            };
            let key = setting.split(" = ").next().unwrap();
            if !setting.contains(" = ") || key.contains(' ') {
                continue;
            }
            let said = plan(&written.replace(line, setting));
            // An address is an example, since Qubes assigns one by default.
            assert_eq!(said == expected, key != "ip", "{setting}");
            tried += 1;
        }
        assert!(tried >= least, "{options:?}: {tried}");
    }
}

#[test]
fn init_writes_the_schema_beside_the_file_and_replaces_neither() {
    let folder = tempfile::tempdir().unwrap();
    let init = |file: &str| {
        let mut command = tool();
        command.current_dir(folder.path()).args(["init", file]);
        command.output().unwrap()
    };
    assert!(init("ai.toml").status.success());
    let text = fs::read_to_string(folder.path().join("ai.toml")).unwrap();
    assert!(text.starts_with("#:schema ./ai.schema.json\n"), "{text}");
    let schema = folder.path().join("ai.schema.json");
    assert_eq!(
        fs::read_to_string(&schema).unwrap(),
        stdout(tool().arg("schema"))
    );

    fs::remove_file(folder.path().join("ai.toml")).unwrap();
    let again = init("ai.toml");
    assert!(again.status.success() && !said(&again).contains("not replaced"));

    fs::remove_file(folder.path().join("ai.toml")).unwrap();
    fs::write(&schema, "mine").unwrap();
    let said = said(&init("ai.toml"));
    assert!(said.contains("note: ai.schema.json is there, and is not replaced"));
    assert_eq!(fs::read_to_string(&schema).unwrap(), "mine");

    // A name that no comment can hold is not named in one.
    assert!(init("a\nb.toml").status.success());
    let text = fs::read_to_string(folder.path().join("a\nb.toml")).unwrap();
    assert!(!text.contains("#:schema"));
}
