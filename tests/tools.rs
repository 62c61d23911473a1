// SPDX-License-Identifier: MIT OR Apache-2.0

//! The tools that the formula puts in a qube, run as the qube runs them: by the pinned Node, beside
//! what stands in for the rest of the qube.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::home::Home;
use crate::support::npm::{node, with_packages};
use crate::support::said as said_by;
use crate::support::{self, Built, repository, said};

/// What a tool sees of a qube: a home, the formula's commands, and the stand-ins of its provider.
struct Qube {
    node: PathBuf,
    built: Built,
    home: TempDir,
    environment: Vec<(&'static str, String)>,
    services: Vec<Child>,
}

impl Qube {
    /// A qube with this provider.
    fn new(provider: &str) -> Qube {
        Qube {
            node: node(),
            built: with_packages(Built::config(&format!(
                "[[server]]\nprovider = \"{provider}\"\n"
            ))),
            home: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
            services: Vec::new(),
        }
    }

    /// Runs a tool of `/usr/local/bin`.
    fn run(&self, name: &str, arguments: &[&str]) -> Output {
        self.run_by(&[], name, arguments)
    }

    /// Runs a tool of `/usr/local/bin` after a shell command, whose mounts only the tool sees.
    fn run_after(&self, script: &str, name: &str, arguments: &[&str]) -> Output {
        let script = format!("{script} && exec \"$@\"");
        self.run_by(
            &["unshare", "--mount", "sh", "-c", &script, "sh"],
            name,
            arguments,
        )
    }

    /// Has a tool run by another command.
    fn run_by(&self, command: &[&str], name: &str, arguments: &[&str]) -> Output {
        let formula = "dom0/srv/formulas/base/openclaw-formula/openclaw";
        let path = self.built.output.join(formula);
        let path = path.join("files/usr/local/bin").join(name);
        // The qube's own Node is what its first line names.
        let text = fs::read_to_string(&path).unwrap();
        let expected = format!("#!{}", openclaw_formula::openclaw::node_bin());
        assert_eq!(text.lines().next(), Some(expected.as_str()));
        self.surround(&mut Command::new("env"))
            .args(command)
            .arg(&self.node)
            .arg(path)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Gives a command the qube's environment.
    fn surround<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let standins = repository().join("tests/standin/provider");
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", format!("{}:/usr/bin:/bin", standins.display()))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
    }

    /// Starts the stand-in of Ollama.
    fn serve_ollama(&mut self) {
        let address = free_address();
        self.environment.push(("OLLAMA_HOST", address.to_string()));
        let mut command = Command::new(repository().join("tests/standin/provider/ollama"));
        let service = self
            .surround(&mut command)
            .arg("serve")
            .stderr(Stdio::null())
            .spawn();
        self.services.push(service.unwrap());
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Qube {
    fn drop(&mut self) {
        for service in &mut self.services {
            let _ = service.kill();
            let _ = service.wait();
        }
    }
}

/// An address at which nothing listens.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap()
}

/// A web server that answers each path with a status, with further headers, and a body.
struct Web {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    fn new(answer: impl Fn(&str) -> (String, String) + Send + 'static) -> Web {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&asked);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let mut request = Vec::new();
                let mut part = [0; 4096];
                while !request.ends_with(b"\r\n\r\n") {
                    match connection.read(&mut part) {
                        Ok(length) if length > 0 => request.extend(&part[..length]),
                        _ => break,
                    }
                }
                let request = String::from_utf8_lossy(&request);
                let path = request.split(' ').nth(1).unwrap_or_default();
                record.lock().unwrap().push(path.to_owned());
                let (status, body) = answer(path);
                // The client may hang up first.
                let _ = write!(
                    connection,
                    "HTTP/1.1 {status}\r\nConnection: close\r\n\r\n{body}"
                );
            }
        });
        Web { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// A manifest of a model of this size, half of it in each of two layers.
fn manifest(size: u64) -> Value {
    let layer = |digit: &str, size: u64| {
        json!({
            "mediaType": "application/vnd.ollama.image.model",
            "digest": format!("sha256:{}", digit.repeat(64)),
            "size": size,
        })
    };
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": layer("c", 0),
        "layers": [layer("a", size / 2), layer("b", size - size / 2)],
    })
}

/// A qube with a running Ollama, whose registry answers this to all that is asked.
fn with_registry(status: &str, body: &str) -> (Qube, Web) {
    let answer = (status.to_owned(), body.to_owned());
    let web = Web::new(move |_| answer.clone());
    let mut qube = Qube::new("ollama");
    qube.serve_ollama();
    qube.environment
        .push(("OPENCLAW_MODEL_REGISTRY", web.url.clone()));
    (qube, web)
}

/// What a tool said as it refused, with other names for what differs from machine to machine.
#[track_caller]
fn refused(output: &Output, status: i32) -> String {
    let said = said(output);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(!said.contains("    at "), "{said}");
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    said.replace(&format!("qvm-prefs {} ", host.trim()), "qvm-prefs QUBE ")
        .replace(&format!("{}:private", host.trim()), "QUBE:private")
}

/// A refused pull, and that nothing was downloaded.
#[track_caller]
fn refused_pull(qube: &Qube, arguments: &[&str]) -> String {
    let said = refused(&qube.run("openclaw-model", arguments), 1);
    let models = qube.run("openclaw-model", &["list"]);
    assert!(models.status.success(), "{}", support::said(&models));
    assert_eq!(support::said(&models).lines().count(), 1);
    said
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_model_is_pulled_and_listed() {
    // Small enough for whatever disk and memory the tests run on.
    let (qube, web) = with_registry("200 OK", &manifest(70_000_000).to_string());
    let asked = [
        ("gemma4", "/v2/library/gemma4/manifests/latest"),
        ("llama3.1:8b-q4_0", "/v2/library/llama3.1/manifests/8b-q4_0"),
        ("mine/tuned:v2", "/v2/mine/tuned/manifests/v2"),
    ];
    for (name, path) in asked {
        let pulled = qube.run("openclaw-model", &["pull", name]);
        let said = said(&pulled);
        assert!(pulled.status.success(), "{said}");
        assert!(said.starts_with(&format!("{name}: 0.1 GB, needs 2.2 GB of memory\n")));
        assert!(said.ends_with("writing manifest\nsuccess\n"), "{said}");
        assert_eq!(web.asked(), [path]);
    }
    let listed = qube.run("openclaw-model", &["list"]);
    assert!(listed.status.success());
    let names: Vec<_> = said(&listed)
        .lines()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    let expected = ["NAME", "gemma4:latest", "llama3.1:8b-q4_0", "mine/tuned:v2"];
    assert_eq!(names, expected);
}

/// "About 8 GB of RAM for 7B models, 40 GB for 70B", and 12000 MiB for the default model.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn the_memory_that_a_model_needs_is_what_the_documentation_says() {
    for (size, needed) in [(3.8, 5.9), (4.9, 7.0), (9.6, 11.7), (39.0, 41.1)] {
        let manifest = manifest((size * 1e9) as u64).to_string();
        let (qube, _web) = with_registry("200 OK", &manifest);
        let said = said(&qube.run("openclaw-model", &["pull", "--force", "some"]));
        let expected = format!("some: {size:.1} GB, needs {needed:.1} GB of memory\n");
        assert!(said.starts_with(&expected), "{said}");
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_model_too_large_for_the_memory_is_refused() {
    let (qube, _web) = with_registry("200 OK", &manifest(1_000_000_000_000_000).to_string());
    insta::with_settings!({ filters => [(r"has \d+\.\d GB", "has SO MUCH")] }, {
        insta::assert_snapshot!(refused_pull(&qube, &["pull", "huge"]), @r"
    huge: 1000000.0 GB, needs 1000002.1 GB of memory
    openclaw-model: huge needs 1000002.1 GB of memory, and this qube has SO MUCH now.
    With memory balancing it may get more, up to its maxmem. In dom0, see how much that is, and if it is less than 982287000, raise it and restart the qube:
      qvm-prefs QUBE maxmem
      qvm-prefs QUBE maxmem 982287000
    If it is as much already, use --force. Or choose a smaller model.
    ");
    });
    // Forced, it is still too large for the disk.
    let filters = [
        (r"has \d+\.\d GB", "has SO MUCH"),
        (r"/\S* has", "FOLDER has"),
        (r"\d+GiB", "ENOUGH"),
    ];
    insta::with_settings!({ filters => filters }, {
        insta::assert_snapshot!(refused_pull(&qube, &["pull", "--force", "huge"]), @r"
    huge: 1000000.0 GB, needs 1000002.1 GB of memory
    warning: huge needs 1000002.1 GB of memory, and this qube has SO MUCH.
    openclaw-model: huge needs 1000001.1 GB of disk space, and FOLDER has SO MUCH free. In dom0:
      qvm-volume extend QUBE:private ENOUGH
    ");
    });
}

/// On a disk of its own, that has room for 80 MB beside what must stay free.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_model_too_large_for_the_disk_is_refused() {
    let (qube, _web) = with_registry("200 OK", &manifest(70_000_000).to_string());
    let blobs = "\"$HOME/.ollama/models/blobs\"";
    let disk = format!("mount -t tmpfs -o size=1100m tmpfs \"$HOME\" && mkdir -p {blobs}");
    let pull = |script: &str| {
        let script = format!("{disk} && cd {blobs} && {script}");
        qube.run_after(&script, "openclaw-model", &["pull", "some"])
    };
    let other = "fallocate --length 60MB other";
    let filters = [(r"/\S* has", "FOLDER has")];
    insta::with_settings!({ filters => filters }, {
        insta::assert_snapshot!(refused(&pull(other), 1), @r"
    some: 0.1 GB, needs 2.2 GB of memory
    openclaw-model: some needs 1.1 GB of disk space, and FOLDER has 1.1 GB free. In dom0:
      qvm-volume extend QUBE:private 10GiB
    ");
    });
    // What is there of the model counts: half of it whole, and a part; but no holes.
    let (whole, part) = ("a".repeat(64), "b".repeat(64));
    let holes = format!("{other} && truncate --size 35MB sha256-{whole} sha256-{part}-partial");
    refused(&pull(&holes), 1);
    for script in [
        "true".to_owned(),
        format!(
            "fallocate --length 35MB sha256-{whole} && truncate --size 35MB sha256-{part}-partial \
             && fallocate --length 25MB sha256-{part}-partial"
        ),
    ] {
        let pulled = pull(&script);
        assert!(pulled.status.success(), "{}", said(&pulled));
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn what_the_registry_answers_is_not_believed() {
    let mut manifests: Vec<String> = ["", "{", "null", "[]", "\"text\"", "{}", "<html></html>"]
        .map(str::to_owned)
        .into();
    for (place, values) in [
        (
            "/layers/0/size",
            vec![json!(null), json!(-1), json!(0.5), json!(1e300), json!("5")],
        ),
        (
            "/layers/1/digest",
            vec![
                json!(null),
                json!(""),
                json!("sha256:../../../x"),
                json!([]),
            ],
        ),
        ("/layers/1", vec![json!(null), json!([])]),
        (
            "/layers",
            vec![json!(null), json!([]), json!({}), json!("text")],
        ),
        ("/config", vec![json!(null), json!({})]),
    ] {
        for value in values {
            let mut manifest = manifest(10);
            *manifest.pointer_mut(place).unwrap() = value;
            manifests.push(manifest.to_string());
        }
    }
    let rest = Mutex::new(manifests.clone());
    let (mut qube, _web) = with_registry("200 OK", "");
    let web = Web::new(move |_| ("200 OK".to_owned(), rest.lock().unwrap().remove(0)));
    qube.environment
        .push(("OPENCLAW_MODEL_REGISTRY", web.url.clone()));
    for manifest in manifests {
        let said = refused(&qube.run("openclaw-model", &["pull", "some"]), 1);
        let expected = "openclaw-model: The registry's answer is not a model's manifest.\n";
        assert_eq!(said, expected, "{manifest}");
    }
    assert_eq!(
        said(&qube.run("openclaw-model", &["list"])).lines().count(),
        1
    );
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn each_failure_of_the_registry_has_its_message() {
    let long = " ".repeat(2 << 20);
    for (status, body, expected) in [
        (
            "404 Not Found",
            "{}",
            "openclaw-model: The registry has no such model: URL\n",
        ),
        (
            "500 Oops",
            "",
            "openclaw-model: URL answers with status 500. Try again later.\n",
        ),
        (
            "200 OK",
            &long,
            "openclaw-model: The answer of URL is too long.\n",
        ),
        (
            "200 OK\r\nContent-Length: 99",
            "{",
            "openclaw-model: URL cannot be fetched: UND_ERR_RES_CONTENT_LENGTH_MISMATCH. Has this qube a network? \
             In dom0:\n  qvm-prefs QUBE netvm\n",
        ),
        (
            "302 Found\r\nLocation: http://127.0.0.1:9/",
            "",
            "openclaw-model: URL cannot be fetched: unexpected redirect. Has this qube a network? \
             In dom0:\n  qvm-prefs QUBE netvm\n",
        ),
    ] {
        let (qube, web) = with_registry(status, body);
        let url = format!("{}/v2/library/some/manifests/latest", web.url);
        let said = refused_pull(&qube, &["pull", "some"]).replace(&url, "URL");
        assert_eq!(said, expected);
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn without_a_network_or_ollama_nothing_is_pulled() {
    let mut qube = Qube::new("ollama");
    qube.environment
        .push(("OLLAMA_HOST", free_address().to_string()));
    for arguments in [&["list"][..], &["pull", "some"]] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(refused(&qube.run("openclaw-model", arguments), 1), @r"
    openclaw-model: Ollama does not answer. See:
      systemctl --user status openclaw-ollama
    ");
        }
    }
    qube.serve_ollama();
    let registry = format!("http://{}", free_address());
    qube.environment
        .push(("OPENCLAW_MODEL_REGISTRY", registry.clone()));
    let said = refused_pull(&qube, &["pull", "some"]).replace(&registry, "REGISTRY");
    insta::assert_snapshot!(said, @r"
    openclaw-model: REGISTRY/v2/library/some/manifests/latest cannot be fetched: ECONNREFUSED. Has this qube a network? In dom0:
      qvm-prefs QUBE netvm
    ");
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_pull_that_ollama_fails_is_a_failure() {
    let (qube, _web) = with_registry("200 OK", &manifest(10).to_string());
    let said = refused_pull(&qube, &["pull", "missing"]);
    assert!(
        said.ends_with("Error: pull model manifest: file does not exist\n"),
        "{said}"
    );
}

/// Without a home, an apply, or anybody but root: who asks has none of it yet.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn each_tool_tells_its_usage_before_it_reads_anything() {
    // What passes its arguments on to a program that has a usage of its own.
    const PASS_ON: [&str; 3] = ["cursor-agent", "ollama", "openclaw"];
    let providers = "[[server]]\nprovider = [\"cursor\", \"ollama\"]\nclients = [\"work\"]\n";
    let built = with_packages(Built::config(providers));
    let mut tools = BTreeMap::new();
    for path in support::files(&built.output.join("dom0")) {
        let folder = path.parent().unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        if folder.ends_with("usr/local/bin") && !PASS_ON.contains(&name) {
            // That of dom0 and that of a qube can have one name.
            tools.insert(path.clone(), name.to_owned());
        }
    }
    let names: BTreeSet<_> = tools.values().map(String::as_str).collect();
    let expected = "dashboard key model provider settings tcp-forward";
    let expected = expected.split(' ').map(|name| format!("openclaw-{name}"));
    assert_eq!(
        names,
        expected
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str)
            .collect()
    );
    for (path, name) in &tools {
        let text = fs::read_to_string(path).unwrap();
        let interpreter = text.lines().next().unwrap().trim_start_matches("#!");
        for arguments in [&["--help"][..], &["-h"], &["list", "-h"]] {
            let mut command = Command::new("env");
            command.args(["-i", "PATH=/usr/bin:/bin", "HOME=/nonexistent"]);
            if interpreter == openclaw_formula::openclaw::node_bin() {
                command.arg(node());
            } else {
                command.args(interpreter.split(' '));
            }
            // A shell script has no second argument, and so no usage for it.
            if arguments.len() > 1 && interpreter == "/bin/sh" {
                continue;
            }
            let output = command.arg(path).args(arguments).output().unwrap();
            assert!(
                output.status.success(),
                "{name} {arguments:?}: {}",
                said(&output)
            );
            assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{name}");
            let usage = String::from_utf8(output.stdout).unwrap().to_lowercase();
            assert!(usage.starts_with(&format!("usage: {name}")), "{usage}");
        }
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn wrong_usage_of_openclaw_model_is_told() {
    let qube = Qube::new("ollama");
    let usage = said(&qube.run("openclaw-model", &["--help"]));
    insta::assert_snapshot!(usage, @r"
    usage: openclaw-model pull [--force] NAME[:TAG]
           openclaw-model list
    
    pull    download a model, such as gemma4 or llama3.1:8b, if there is room for it
            --force: even if there seems to be too little memory
    list    show the models that are there
    ");
    for arguments in [
        &[][..],
        &["pull"],
        &["pull", "a", "b"],
        &["list", "a"],
        &["list", "--force"],
        &["remove", "a"],
    ] {
        assert_eq!(refused(&qube.run("openclaw-model", arguments), 64), usage);
    }
    for option in ["--bogus", "--force=yes"] {
        let said = refused(&qube.run("openclaw-model", &["pull", "a", option]), 64);
        assert!(
            said.starts_with("openclaw-model: ") && said.ends_with(&usage),
            "{said}"
        );
    }
    let long = "a".repeat(81);
    for name in [
        "",
        ".",
        "..",
        "../x",
        "a/../b",
        "a/b/c",
        "/a",
        "a/",
        ":a",
        "a:",
        "a:b:c",
        "a b",
        "a\n",
        "a?b",
        "a#b",
        "a%2f",
        "é",
        "a.b/c",
        "https://example.com/a",
        &long,
    ] {
        let said = refused(&qube.run("openclaw-model", &["pull", name]), 64);
        assert_eq!(
            said,
            format!("openclaw-model: not a model's name: {}\n", json!(name))
        );
    }
}

/// What stands in the qube of a user who has added to it, and who is configured for Telegram.
fn configuration() -> Value {
    let path = repository().join("examples/openclaw/openclaw-anthropic.json");
    let mut config: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    config["channels"] = json!({ "telegram": { "dmPolicy": "allowlist" } });
    config
}

const FILE: &str = ".openclaw/openclaw.json";
const KEPT: &str = ".openclaw/openclaw.json.before-apply";

/// A home with this configuration, and this text as `openclaw.json`.
fn home_with(configured: &Value, text: impl AsRef<[u8]>) -> Home {
    let home = Home::new(Built::example("anthropic-tunnel-standalone.toml"));
    home.configure(configured);
    home.write(FILE, text);
    home
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn another_provider_loses_no_setting() {
    let home = home_with(&json!({}), configuration().to_string());
    home.must("openclaw-provider", &["use", "openai"]);
    let now = home.settings();
    let mut expected = configuration();
    expected["agents"]["defaults"]["model"]["primary"] = "openai/gpt-6-astra".into();
    expected["models"]["providers"]["openai"] = now["models"]["providers"]["openai"].clone();
    expected["tools"] = json!({});
    assert_eq!(now, expected);
    // JSON has no comments that could be lost.
    assert!(!home.path(KEPT).exists());
    let list = home.must("openclaw-provider", &["list"]);
    assert!(list.ends_with("in use: openai/gpt-6-astra\n"), "{list}");

    let text = format!("// of mine\n{}", configuration());
    home.write(FILE, &text);
    let said = home.must("openclaw-provider", &["use", "openai"]);
    assert!(
        said.contains(&format!("The comments of ~/{FILE} are in ~/{KEPT} now.")),
        "{said}"
    );
    assert_eq!(home.text(KEPT), text);
    assert_eq!(home.settings(), expected);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn what_openclaw_provider_cannot_do_leaves_the_configuration() {
    let text = configuration().to_string();
    let home = home_with(&json!({}), &text);
    let refused = |arguments: &[&str], status| home.refuses("openclaw-provider", arguments, status);
    let said = refused(&["use", "mistral"], 64);
    let expected = "openclaw-provider: no such provider: \"mistral\"; there are cursor, openai, anthropic, ollama\n";
    assert!(said.starts_with(expected), "{said}");
    assert!(refused(&["use", "ollama"], 1).contains("ollama is not installed here"));
    assert!(refused(&["use"], 64).contains("Usage: "));
    let output = home.run(
        &Home::full_disk(),
        "openclaw-provider",
        &["use", "openai"],
        "",
    );
    assert_eq!(output.status.code(), Some(1));
    let said = support::said(&output);
    assert!(
        said.starts_with(&format!("openclaw-provider: ~/{FILE} stays as it is: ")),
        "{said}"
    );
    assert_eq!(home.text(FILE), text);
    assert_eq!(home.names(".openclaw"), ["openclaw.json"]);

    fs::remove_file(home.path(FILE)).unwrap();
    let said = refused(&["use", "openai"], 1);
    assert!(
        said.contains("is missing: apply openclaw.configure"),
        "{said}"
    );
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn the_configured_settings_are_put_into_what_a_user_wrote() {
    let text = "\u{feff}// of mine\r\n{\r\n  channels: { telegram: { dmPolicy: 'disabled' } }, // not now\r\n                  messages: { ackReaction: 'x', }, __proto__: { a: 1 },\r\n}\r\n";
    let home = home_with(&configuration(), text);
    let changes = home.must("openclaw-settings", &["changes"]);
    assert!(
        changes.contains("channels.telegram.dmPolicy: as configured\n"),
        "{changes}"
    );
    assert_eq!(home.text(FILE), text);
    assert_eq!(home.refuses("openclaw-settings", &["check"], 1), "");

    let said = home.must("openclaw-settings", &["apply"]);
    assert_eq!(
        said,
        format!(
            "Set back in ~/{FILE}:\n  {}What it was is in ~/{KEPT}\n",
            changes.trim_end().replace('\n', "\n  ") + "\n"
        )
    );
    let mut expected = configuration();
    expected["messages"] = json!({ "ackReaction": "x" });
    expected["__proto__"] = json!({ "a": 1 });
    assert_eq!(home.settings(), expected);
    assert_eq!(home.mode(FILE), "600 nobody\n");
    assert_eq!(home.text(KEPT), text);
    assert_eq!(home.mode(KEPT), "600 nobody\n");

    // Again, nothing.
    let now = home.text(FILE);
    assert_eq!(home.must("openclaw-settings", &["check"]), "");
    assert_eq!(home.must("openclaw-settings", &["apply"]), "");
    assert_eq!(home.text(FILE), now);
    // What is right already keeps its comments.
    let commented = format!("/* of mine */ {now}");
    home.write(FILE, &commented);
    assert_eq!(home.must("openclaw-settings", &["apply"]), "");
    assert_eq!(home.text(FILE), commented);

    // No older original is lost, and none is kept twice.
    for (text, kept) in [
        ("{ a: 1 }", format!("{KEPT}.2")),
        ("{ a: 2 }", format!("{KEPT}.3")),
        ("{ a: 1 }", format!("{KEPT}.2")),
    ] {
        home.write(FILE, text);
        let said = home.must("openclaw-settings", &["apply"]);
        assert!(
            said.ends_with(&format!("What it was is in ~/{kept}\n")),
            "{said}"
        );
        assert_eq!(home.text(&kept), text);
    }
    assert_eq!(home.names(".openclaw").len(), 4);

    // Others may not read it; one that is missing is made.
    let mut chmod = Command::new("chmod");
    chmod.arg("644").arg(home.path(FILE));
    assert!(chmod.status().unwrap().success());
    home.refuses("openclaw-settings", &["check"], 1);
    home.must("openclaw-settings", &["apply"]);
    assert_eq!(home.mode(FILE), "600 nobody\n");
    fs::remove_file(home.path(FILE)).unwrap();
    home.must("openclaw-settings", &["apply"]);
    assert_eq!(home.settings(), configuration());
    assert_eq!(home.mode(FILE), "600 nobody\n");
}

/// A file that cannot be merged fails with one message, which names the place and what to do.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn what_cannot_be_merged_is_refused_and_stays() {
    let home = home_with(&configuration(), "");
    let deep = format!("{}{}", "{a:".repeat(100_000), "1");
    let nested = format!("{{ a: {}1{} }}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("{{ a: '{}' }}", "x".repeat(10_000_000));
    for (text, expected) in [
        (
            "",
            "~/.openclaw/openclaw.json:1:1: not JSON5: invalid end of input. It stays as it is: mend it there, or move it away and apply again",
        ),
        (
            "// of mine\n{\n  a: 1,\n  b = 'hunter2'\n}",
            "~/.openclaw/openclaw.json:4:5: not JSON5: invalid character '='.",
        ),
        (
            "{ \"token\": \"hunter2",
            "~/.openclaw/openclaw.json:1:20: not JSON5: invalid end of input.",
        ),
        ("[]", "openclaw.json:1:1: not a table of settings."),
        ("null", "openclaw.json:1:1: not a table of settings."),
        (
            "{ a: Infinity }",
            "\"a\" is Infinity, which JSON does not have.",
        ),
        (
            "{ a: [{ $include: './x.json' }] }",
            "a.0.$include takes in another file",
        ),
        (
            "{ $include: ['x'], b: 1 }",
            "$include takes in another file",
        ),
        (&deep, "not JSON5: invalid end of input."),
        (&nested, "tables are nested more than 100 deep."),
        (&large, "has 10000009 bytes, and may have 2097152"),
    ] {
        home.write(FILE, text);
        let said = home.refuses("openclaw-settings", &["apply"], 1);
        assert!(
            said.starts_with("openclaw-settings: ~/.openclaw/openclaw.json"),
            "{said}"
        );
        assert!(said.contains(expected), "{said}");
        assert!(
            said.lines().count() == 1 && !said.contains("hunter2"),
            "{said}"
        );
        home.refuses("openclaw-settings", &["check"], 1);
        assert!(home.text(FILE) == text);
        assert_eq!(home.names(".openclaw"), ["openclaw.json"]);
    }
    home.write(FILE, b"{ a: '\xff' }");
    let said = home.refuses("openclaw-settings", &["apply"], 1);
    assert!(said.contains("cannot be read"), "{said}");
    home.write(FILE, "{ a: 1 }");
    let output = home.run(&Home::full_disk(), "openclaw-settings", &["apply"], "");
    assert!(
        said_by(&output).contains("stays as it is: "),
        "{}",
        said_by(&output)
    );
    assert_eq!(home.text(FILE), "{ a: 1 }");
    assert_eq!(home.names(".openclaw"), ["openclaw.json"]);

    // What is no file, or not the user's.
    let file = home.path(FILE);
    let cases: [(&dyn Fn(), &str); 5] = [
        (
            &|| {
                assert!(
                    Command::new("mkfifo")
                        .arg(&file)
                        .status()
                        .unwrap()
                        .success()
                )
            },
            "is not a file",
        ),
        (&|| fs::create_dir(&file).unwrap(), "is not a file"),
        (&|| symlink("/dev/zero", &file).unwrap(), "is not a file"),
        (
            &|| symlink("nowhere", &file).unwrap(),
            "is a link that leads nowhere",
        ),
        (
            &|| symlink("/etc/shadow", &file).unwrap(),
            "cannot be read: EACCES",
        ),
    ];
    for (make, expected) in cases {
        let _ = fs::remove_file(&file);
        let _ = fs::remove_dir(&file);
        make();
        let said = home.refuses("openclaw-settings", &["apply"], 1);
        assert!(said.contains(expected), "{said}");
        home.refuses("openclaw-settings", &["check"], 1);
    }
    fs::remove_file(&file).unwrap();
    fs::write(&file, "{}").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let said = home.refuses("openclaw-settings", &["apply"], 1);
    assert!(
        said.contains("sudo chown user: ~/.openclaw/openclaw.json"),
        "{said}"
    );

    // Behind a link that leads somewhere, the file there is the user's.
    fs::remove_file(&file).unwrap();
    home.write("mine.json", "{ a: 1 }");
    symlink("../mine.json", &file).unwrap();
    home.must("openclaw-settings", &["apply"]);
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    assert_eq!(home.settings()["a"], 1);
}

/// What undoes safety is set back, each as OpenClaw reads it, unless the configuration says so; the
/// user's own harmless settings stay.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn what_undoes_safety_is_set_back() {
    let home = home_with(&json!({}), "{}");
    let script = "(it, cases) => cases.map(([settings, configured]) => {
        const changes = it.setBack(settings, configured, { STAR: '*', OPEN: ' open ' });
        const again = it.setBack(structuredClone(settings), configured, { STAR: '*', OPEN: ' open ' });
        return [settings, changes.map(({ at }) => at), again.length];
    })";
    let everybody = json!({ "allowFrom": ["*"] });
    let cases = [
        // The settings, what the configuration says, and what is to become of them.
        (
            json!({ "gateway": { "tailscale": { "mode": "serve" }, "reload": { "mode": "off" } } }),
            json!({}),
            json!({ "gateway": { "tailscale": {}, "reload": { "mode": "off" } } }),
        ),
        (
            json!({ "gateway": { "tailscale": { "mode": "serve" }, "trustedProxies": ["::/0"] } }),
            json!({ "gateway": { "tailscale": { "mode": "serve" } } }),
            json!({ "gateway": { "tailscale": { "mode": "serve" } } }),
        ),
        (
            json!({ "gateway": { "controlUi": { "allowedOrigins": [" *", "https://*.example", "${STAR}", "https://a.example"], "allowInsecureAuth": true } } }),
            json!({}),
            json!({ "gateway": { "controlUi": { "allowedOrigins": ["https://a.example"] } } }),
        ),
        // What a newer OpenClaw may have, but for what is switched off.
        (
            json!({ "gateway": { "newDoor": { "open": true, "wide": false } } }),
            json!({}),
            json!({ "gateway": { "newDoor": { "wide": false } } }),
        ),
        (
            json!({ "channels": { "telegram": { "dmPolicy": "open", "allowFrom": [" * ", 123, "telegram:*"] } } }),
            json!({}),
            json!({ "channels": { "telegram": { "dmPolicy": "pairing", "allowFrom": [123] } } }),
        ),
        (
            json!({ "channels": { "matrix": { "dm": { "policy": "${OPEN}" }, "groupPolicy": "Open" } } }),
            json!({}),
            json!({ "channels": { "matrix": { "dm": { "policy": "pairing" }, "groupPolicy": "allowlist" } } }),
        ),
        (
            json!({ "channels": { "telegram": { "dmPolicy": "allowlist", "allowFrom": ["${STAR}"] } } }),
            json!({}),
            json!({ "channels": { "telegram": { "dmPolicy": "pairing", "allowFrom": [] } } }),
        ),
        (
            json!({ "channels": { "discord": { "guilds": { "1": { "users": ["*"], "tools": { "deny": ["*"] } } } }, "twitch": { "allowedRoles": ["all", "owner"] }, "tlon": { "authorization": { "channelRules": { "x": { "mode": "open" } } } } } }),
            json!({}),
            json!({ "channels": { "discord": { "guilds": { "1": { "users": [], "tools": { "deny": ["*"] } } } }, "twitch": { "allowedRoles": ["owner"] }, "tlon": { "authorization": { "channelRules": { "x": {} } } } } }),
        ),
        (
            json!({ "channels": { "signal": everybody } }),
            json!({ "channels": { "signal": everybody } }),
            json!({ "channels": { "signal": everybody } }),
        ),
        (
            json!({ "accessGroups": { "all": { "members": { "telegram": ["*", "1"] } } } }),
            json!({}),
            json!({ "accessGroups": { "all": { "members": { "telegram": ["1"] } } } }),
        ),
        (
            json!({ "tools": { "elevated": { "allowFrom": { "slack": ["*"] } }, "allow": ["*"], "deny": ["*"] } }),
            json!({}),
            json!({ "tools": { "elevated": { "allowFrom": { "slack": [] } }, "allow": ["*"], "deny": ["*"] } }),
        ),
        (
            json!({ "commands": { "ownerAllowFrom": "*" } }),
            json!({}),
            json!({ "commands": { "ownerAllowFrom": [] } }),
        ),
        // Telegram's groups, with senders and without.
        (
            json!({ "channels": { "telegram": { "groups": { "*": {} }, "allowFrom": [1] } } }),
            json!({}),
            json!({ "channels": { "telegram": { "groups": { "*": {} }, "allowFrom": [1], "groupAllowFrom": [1] } } }),
        ),
        (
            json!({ "channels": { "telegram": { "accounts": { "a": { "groups": { "1": {} } } } } } }),
            json!({}),
            json!({ "channels": { "telegram": { "accounts": { "a": { "groups": { "1": {} }, "groupPolicy": "disabled" } } } } }),
        ),
        (
            json!({ "channels": { "telegram": { "groups": { "1": { "allowFrom": [2] } } } } }),
            json!({}),
            json!({ "channels": { "telegram": { "groups": { "1": { "allowFrom": [2] } } } } }),
        ),
        (
            json!({ "hooks": { "enabled": true, "token": "x" } }),
            json!({}),
            json!({ "hooks": { "enabled": false, "token": "x" } }),
        ),
        (
            json!({ "hooks": { "enabled": true, "path": "/", "allowRequestSessionKey": true, "allowedAgentIds": ["*"] } }),
            json!({ "hooks": { "enabled": true } }),
            json!({ "hooks": { "enabled": true, "allowedAgentIds": [] } }),
        ),
        (
            json!({ "browser": { "ssrfPolicy": { "dangerouslyAllowPrivateNetwork": true } }, "hooks": { "mappings": [{ "allowUnsafeExternalContent": true, "id": "a" }] } }),
            json!({}),
            json!({ "browser": { "ssrfPolicy": {} }, "hooks": { "mappings": [{ "id": "a" }] } }),
        ),
        (
            json!({ "env": { "vars": { "OPENAI_API_KEY": "x", "OPENCLAW_CONFIG_PATH": "x", "BRAVE_API_KEY": "x" }, "shellEnv": { "enabled": true } } }),
            json!({}),
            json!({ "env": { "vars": { "BRAVE_API_KEY": "x" }, "shellEnv": { "enabled": false } } }),
        ),
        (
            json!({ "security": { "audit": { "suppressions": [{ "checkId": "x" }] } }, "update": { "auto": { "enabled": true } }, "discovery": { "wideArea": { "domain": "x" } } }),
            json!({}),
            json!({ "security": { "audit": {} }, "update": { "auto": { "enabled": false } }, "discovery": {} }),
        ),
        (
            json!({ "agents": { "defaults": { "sandbox": { "docker": { "network": " Host", "seccompProfile": "unconfined", "binds": ["/:/host", "relative:/x", "/etc:/x", "/var/run/docker.sock:/x"] } } }, "list": [{ "sandbox": { "docker": { "network": "container:x", "image": "y" } } }] } }),
            json!({}),
            json!({ "agents": { "defaults": { "sandbox": { "docker": { "binds": [] } } }, "list": [{ "sandbox": { "docker": { "image": "y" } } }] } }),
        ),
        (
            json!({ "agents": { "defaults": { "model": { "fallbacks": ["ollama/llama3.1", "x/big-400b", "fast"] }, "models": { "y/q-32b": { "alias": "fast" } } } }, "tools": { "byProvider": { "ollama/llama3.1": { "deny": ["exec"] } } } }),
            json!({}),
            json!({ "agents": { "defaults": { "model": { "fallbacks": ["ollama/llama3.1", "x/big-400b", "fast"] }, "models": { "y/q-32b": { "alias": "fast" } } } }, "tools": { "byProvider": { "ollama/llama3.1": { "deny": ["exec", "group:web", "browser"] }, "y/q-32b": { "deny": ["group:web", "browser"] } } } }),
        ),
        // Of the wrong kind, which OpenClaw refuses later.
        (
            json!({ "gateway": "x", "channels": [1], "hooks": null, "tools": 1, "agents": { "defaults": { "model": "ollama/x" } } }),
            json!({}),
            json!({ "gateway": "x", "channels": [1], "hooks": null, "tools": { "byProvider": { "ollama/x": { "deny": ["group:web", "browser"] } } }, "agents": { "defaults": { "model": "ollama/x" } } }),
        ),
    ];
    let input: Vec<_> = cases
        .iter()
        .map(|(settings, configured, _)| json!([settings, configured]))
        .collect();
    let results = home.with_module("safety.cjs", script, &json!(input));
    for ((settings, _, expected), result) in cases.iter().zip(results.as_array().unwrap()) {
        assert_eq!(&result[0], expected, "{settings}");
        assert_eq!(result[1] == json!([]), settings == expected, "{result}");
        assert_eq!(result[2], 0, "a second time: {settings}");
    }
}

/// An apply says what it set back, and why, and shows no value.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn what_was_set_back_is_named_and_not_shown() {
    let text = "{ gateway: { tailscale: { mode: 'funnel' }, auth: { password: 'hunter2' } },\n                channels: { 'tele\\u001b[2Jgram': { dmPolicy: '${P}' } }, env: { vars: { P: 'open' } } }";
    let home = home_with(&json!({ "gateway": { "bind": "loopback" } }), text);
    insta::assert_snapshot!(home.must("openclaw-settings", &["apply"]), @r#"
    Set back in ~/.openclaw/openclaw.json:
      gateway.tailscale.mode: only the configured clients, with the token, reach the gateway
      gateway.auth.password: only the configured clients, with the token, reach the gateway
      channels."tele\u001b[2Jgram".dmPolicy: whoever gives the agent orders has its whole qube
      gateway.bind: as configured
    What it was is in ~/.openclaw/openclaw.json.before-apply
    "#);
}
