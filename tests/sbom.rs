// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the program and its packages are made of: the bill of materials, against what Cargo, npm's
//! lock file and CycloneDX's own validator say; and the licences of it all.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::support::{Built, from_setup, repository, said, stdout, tool};
use serde_json::Value;

fn bill(built: &Built) -> Value {
    let text = stdout(tool().arg("sbom").arg(&built.output));
    serde_json::from_str(&text).unwrap()
}

/// The package URLs of a kind.
fn urls(bill: &Value, kind: &str) -> BTreeSet<String> {
    bill["components"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|component| component["purl"].as_str())
        .filter(|url| url.starts_with(kind))
        .map(str::to_owned)
        .collect()
}

fn cargo_metadata() -> Value {
    let text = stdout(Command::new(env!("CARGO")).current_dir(repository()).args([
        "metadata",
        "--locked",
        "--format-version=1",
    ]));
    serde_json::from_str(&text).unwrap()
}

fn lock_file() -> Value {
    let path = repository().join("templates/qube/usr/local/lib/openclaw/package-lock.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn it_is_valid() {
    let environment = from_setup("lint");
    const VALIDATE: &str = "import sys\n\
        from cyclonedx.schema import SchemaVersion\n\
        from cyclonedx.validation.json import JsonStrictValidator\n\
        error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())\n\
        sys.exit(str(error) if error else 0)\n";
    for example in ["several-servers.toml", "openai-tunnel-app.toml"] {
        let built = Built::example(example);
        let text = stdout(tool().arg("sbom").arg(&built.output));
        assert_eq!(text, stdout(tool().arg("sbom").arg(&built.output)));
        let path = built.output.with_extension("json");
        fs::write(&path, text).unwrap();
        stdout(
            Command::new(environment.join("bin/python"))
                .args(["-c", VALIDATE])
                .arg(&path),
        );
    }
}

#[test]
fn it_names_the_crates_that_cargo_builds() {
    let metadata = cargo_metadata();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let root = metadata["resolve"]["root"].as_str().unwrap();
    let mut reached = BTreeSet::new();
    let mut next = vec![root];
    while let Some(id) = next.pop() {
        let node = nodes.iter().find(|node| node["id"] == id).unwrap();
        for dependency in node["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            let id = dependency["pkg"].as_str().unwrap();
            if kinds.iter().any(|kind| kind["kind"] != "dev") && reached.insert(id) {
                next.push(id);
            }
        }
    }
    let packages = metadata["packages"].as_array().unwrap();
    let crates: BTreeSet<_> = packages
        .iter()
        .filter(|package| reached.contains(package["id"].as_str().unwrap()))
        .map(|package| {
            let word = |key: &str| package[key].as_str().unwrap();
            format!("pkg:cargo/{}@{}", word("name"), word("version"))
        })
        .collect();
    let bill = bill(&Built::from_args(&[]));
    let named = urls(&bill, "pkg:cargo/");
    // Cargo's resolution knows which features are on; the lock file names what they could need.
    let missing: Vec<_> = crates.difference(&named).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(
        !named
            .iter()
            .any(|url| url.contains("proptest") || url.contains("insta@"))
    );
}

#[test]
fn it_names_the_packages_and_what_they_bring() {
    let built = Built::from_args(&["--provider", "cursor"]);
    let bill_of_cursor = bill(&built);
    for package in [&built.dom0, &built.template] {
        let hash = stdout(Command::new("sha256sum").arg(package));
        let name = package.file_name().unwrap().to_str().unwrap();
        let component = bill_of_cursor["components"]
            .as_array()
            .unwrap()
            .iter()
            .find(|component| component["name"] == name)
            .unwrap();
        assert_eq!(
            component["hashes"][0]["content"],
            hash.split(' ').next().unwrap()
        );
    }

    let mut npm = BTreeSet::new();
    for (path, package) in lock_file()["packages"].as_object().unwrap() {
        if let Some((_, name)) = path.rsplit_once("node_modules/") {
            let name = name.replace('@', "%40");
            npm.insert(format!(
                "pkg:npm/{name}@{}",
                package["version"].as_str().unwrap()
            ));
        }
    }
    assert!(npm.len() > 300);
    assert_eq!(urls(&bill_of_cursor, "pkg:npm/"), npm);

    let fetched = |bill: &Value| {
        let kinds = ["pkg:generic/", "pkg:golang/", "pkg:github/"];
        let all = kinds.iter().flat_map(|kind| urls(bill, kind));
        all.map(|url| url.split('@').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        fetched(&bill_of_cursor),
        [
            "pkg:generic/cursor-agent",
            "pkg:golang/github.com/menezmethod/openclaw-cursor"
        ]
    );
    let of = |provider| fetched(&bill(&Built::from_args(&["--provider", provider])));
    assert_eq!(of("ollama"), ["pkg:github/ollama/ollama"]);
    assert!(of("openai").is_empty());

    let depends_on = |name: &str| {
        let all = bill_of_cursor["dependencies"].as_array().unwrap();
        let found = all
            .iter()
            .find(|entry| entry["ref"].as_str().unwrap().contains(name));
        found.unwrap()["dependsOn"].as_array().unwrap().len()
    };
    assert_eq!(depends_on("-dom0-"), npm.len() + 2);
    assert_eq!(depends_on("-template-"), 0);
}

#[test]
fn without_packages_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let trees = folder.path().join("trees");
    stdout(tool().arg("generate").arg("--output").arg(&trees));
    for (path, wanted) in [
        (
            trees.as_path(),
            "name a folder that `build` or `package` wrote",
        ),
        (folder.path(), "No such file"),
    ] {
        let output = tool().arg("sbom").arg(path).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        assert!(said(&output).contains(wanted), "{}", said(&output));
    }
}

/// What the program is built from, and what its packages bring, may be passed on without asking
/// for the source of anything that is linked to it.
#[test]
fn every_licence_is_one_that_was_thought_of() {
    const LICENCES: [&str; 14] = [
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BlueOak-1.0.0",
        "ISC",
        "bzip2-1.0.6",
        "MIT",
        "Unicode-3.0",
        "Unlicense",
        "Zlib",
        // An npm package's name for Apache-2.0.
        "Apache",
        // Of files, not of what uses them. In the qube only.
        "MPL-2.0",
        "LLVM-exception",
    ];
    let acceptable = |expression: &str| {
        // `MIT/Apache-2.0` is Cargo's former way to write OR, which binds less than AND.
        let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
        let known = |word: &str| LICENCES.contains(&word) || ["AND", "OR", "WITH"].contains(&word);
        let all_known = |words: &str| words.split_whitespace().all(known);
        // With an AND, brackets matter: then every word must be known.
        all_known(&expression)
            || !expression.contains(" AND ") && expression.split(" OR ").any(all_known)
    };
    assert!(acceptable("(MIT OR GPL-3.0-or-later)"));
    assert!(!acceptable("(MIT OR Apache-2.0) AND GPL-3.0-only"));
    for package in cargo_metadata()["packages"].as_array().unwrap() {
        let licence = package["license"].as_str().unwrap();
        assert!(acceptable(licence), "{}: {licence}", package["name"]);
    }
    for (path, package) in lock_file()["packages"].as_object().unwrap() {
        let licence = package["license"].as_str();
        assert!(
            path.is_empty() || licence.is_some_and(acceptable),
            "{path}: {licence:?}"
        );
    }
}
