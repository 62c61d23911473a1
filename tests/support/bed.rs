// SPDX-License-Identifier: MIT OR Apache-2.0

//! A machine to try the formula on: Debian with real systemd in a container, whose changes are
//! gone with it, and real Salt. Nothing in it reaches a network.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::qubes_box::CEILING;
use super::{Built, from_setup, repository, said, stubs};

/// Where the test set-up put one version of Salt.
#[derive(Clone, Copy, Debug)]
pub enum Salt {
    /// What Qubes 4.3 has.
    V3007,
    /// What comes after it.
    V3008,
}

impl Salt {
    fn folder(self) -> &'static str {
        match self {
            Salt::V3007 => "salt-3007",
            Salt::V3008 => "salt-3008",
        }
    }
}

/// Where the containers see Salt.
const SALT: &str = "/opt/salt";

/// Where the container sees the host's exchange folder.
const EXCHANGE: &str = "/mnt/exchange";
/// Where the container sees the stand-in.
const STANDIN: &str = "/mnt/standin";
/// Where the stand-in keeps its machine.
const MODEL: &str = "/var/lib/qubes-standin/model.json";

/// Whether a process is the first of a container: systemd-nspawn has a child that only prepares
/// it, too.
fn is_first(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))
        .is_some_and(|numbers| numbers.split_whitespace().nth(1) == Some("1"))
}

/// The image and one Salt for it.
fn prepared(salt: Salt) -> (PathBuf, PathBuf) {
    assert!(
        rustix::process::geteuid().is_root(),
        "a container needs root"
    );
    (from_setup("image"), from_setup(salt.folder()))
}

/// The beginning of a command line whose rest a container runs as its only program: with one Salt,
/// the repository as `/mnt/repository`, and no network.
pub fn in_image(salt: Salt) -> Command {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let (image, environment) = prepared(salt);
    let mut command = Command::new("systemd-nspawn");
    command
        .args(["--quiet", "--volatile=overlay", "--register=no"])
        .args(["--keep-unit", "--private-network", "--console=pipe"])
        .arg(format!("--directory={}", image.display()))
        .arg(format!(
            "--machine=once-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        ))
        .arg(format!("--bind-ro={}:{SALT}", environment.display()))
        .arg(format!(
            "--bind-ro={}:/mnt/repository",
            repository().display()
        ))
        .stdin(Stdio::null());
    command
}

/// One running container.
pub struct Bed {
    nspawn: Child,
    leader: String,
    exchange: TempDir,
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", &self.leader]).status();
        let _ = self.nspawn.wait();
    }
}

impl Bed {
    /// Boots a container.
    fn boot(salt: Salt, minion: &str, binds: &[(PathBuf, &str)], overlay: Option<String>) -> Bed {
        let (image, environment) = prepared(salt);
        let exchange = tempfile::tempdir().unwrap();
        let machine = exchange.path().file_name().unwrap().to_str().unwrap();
        let machine = format!("bed-{}", machine.trim_start_matches(".tmp"));
        let log = fs::File::create(exchange.path().join("console")).unwrap();
        let mut command = Command::new(repository().join("tests/support/own-cgroup"));
        command
            .args([
                "systemd-nspawn",
                "--quiet",
                "--boot",
                "--volatile=overlay",
                "--register=no",
                "--keep-unit",
            ])
            .args(["--private-network", "--console=pipe", "--link-journal=no"])
            .arg(format!("--directory={}", image.display()))
            .arg(format!("--machine={machine}"))
            .arg(format!("--bind={}:{EXCHANGE}", exchange.path().display()))
            .arg(format!("--bind-ro={}:{SALT}", environment.display()));
        for (from, to) in binds {
            command.arg(format!("--bind-ro={}:{to}", from.display()));
        }
        command.args(overlay);
        let nspawn = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("systemd-nspawn starts");

        let children = format!("/proc/{0}/task/{0}/children", nspawn.id());
        let leader = wait_for("the container's first process", || {
            let children = fs::read_to_string(&children).ok()?;
            let mut children = children.split_whitespace();
            children.find(|pid| is_first(pid)).map(str::to_owned)
        });
        let bed = Bed {
            nspawn,
            leader,
            exchange,
        };
        wait_for("systemd in the container", || {
            let state = said(&bed.run("systemctl is-system-running"));
            matches!(state.trim(), "running" | "degraded").then_some(())
        });
        bed.write("/etc/salt/minion", minion);
        bed
    }

    /// dom0, with the package installed by rpm, its top enabled in no way, and the machine that
    /// the stand-in makes.
    pub fn dom0(salt: Salt, built: &Built) -> Bed {
        let standin = repository().join("tests/standin");
        let minion = format!(
            "id: dom0\nfile_client: local\nmodule_dirs: [{STANDIN}/qvm]\n\
             file_roots:\n  base:\n    - /srv/salt\n"
        );
        let bed = Bed::boot(salt, &minion, &[(standin, STANDIN)], None);
        // It says what it was called with: the packages' scripts may call nothing else.
        bed.write_program(
            "/usr/bin/qubesctl",
            "#!/bin/sh\necho \"qubesctl $*\" >> /var/log/qubesctl.log\n",
        );
        bed.must(&format!("qubes-standin init {MODEL} && mkdir -p /srv/salt"));
        let stubs = bed.exchange.path().join("stubs");
        fs::create_dir(&stubs).unwrap();
        stubs::write_all(&stubs);
        bed.must(&format!("rpm --install {EXCHANGE}/stubs/*.rpm"));
        bed.install(built);
        bed
    }

    /// A qube, with the formula's files as the management qube would bring them. `programs` are
    /// OpenClaw's, as the formula's script installs them.
    pub fn qube(salt: Salt, built: &Built, name: &str, programs: bool) -> Bed {
        let formula = built.output.join("dom0/srv/formulas/base/openclaw-formula");
        let minion =
            format!("id: {name}\nfile_client: local\nfile_roots:\n  base:\n    - /srv/formula\n");
        let standin = repository().join("tests/standin");
        let binds = [(formula, "/srv/formula"), (standin, STANDIN)];
        let at = "/usr/local/lib/openclaw";
        let programs = programs.then(|| from_setup(&format!("npm/programs{at}")));
        // With changes of its own over it, gone with the container.
        let overlay = programs.map(|path| format!("--overlay={}::{at}", path.display()));
        Bed::boot(salt, &minion, &binds, overlay)
    }

    /// Installs or upgrades the dom0 package.
    pub fn install(&self, built: &Built) {
        fs::copy(&built.dom0, self.exchange.path().join("dom0.rpm")).unwrap();
        self.must(&format!("rpm --upgrade {EXCHANGE}/dom0.rpm"));
    }

    /// Makes the package known that network mode needs.
    pub fn install_network_addon(&self) {
        stubs::write(self.exchange.path(), stubs::NETWORK_ADDON, "4.2.0", &[]);
        self.must(&format!(
            "rpm --install {EXCHANGE}/{}.rpm",
            stubs::NETWORK_ADDON
        ));
        self.must(&format!(
            "qubes-standin unit sys-net {}",
            stubs::ROUTING_MANAGER
        ));
    }

    /// Runs a shell command in the container, as root.
    pub fn run(&self, script: &str) -> Output {
        let path =
            format!("{STANDIN}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        Command::new(repository().join("tests/support/enter"))
            .args([&self.leader, &path])
            .args(["sh", "-c", script])
            .stdin(Stdio::null())
            .output()
            .expect("tests/support/enter starts")
    }

    /// Runs a shell command that must succeed; its standard output.
    #[track_caller]
    pub fn must(&self, script: &str) -> String {
        let output = self.run(script);
        assert!(output.status.success(), "{script}: {}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Whether a shell command succeeds.
    pub fn holds(&self, script: &str) -> bool {
        self.run(script).status.success()
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.exchange.path().join("file"), text).unwrap();
        self.must(&format!("install -D -m 644 {EXCHANGE}/file '{path}'"));
    }

    fn write_program(&self, path: &str, text: &str) {
        self.write(path, text);
        self.must(&format!("chmod 755 '{path}'"));
    }

    /// Whether a path is there, a dangling link too.
    pub fn has(&self, path: &str) -> bool {
        self.holds(&format!("test -e '{path}' -o -L '{path}'"))
    }

    /// Applies a state; what each of its parts came to, by its id and function.
    pub fn apply(&self, state: &str, test: bool) -> Applied {
        self.salt(&format!("state.apply {state} test={test}"), None)
    }

    /// The same, as another minion would see it.
    pub fn apply_as(&self, minion: &str, state: &str, test: bool) -> Applied {
        self.salt(&format!("state.apply {state} test={test}"), Some(minion))
    }

    /// What a state renders to, for a minion.
    pub fn show(&self, minion: &str, state: &str) -> Value {
        self.call(&format!("state.show_sls {state}"), Some(minion))
    }

    fn salt(&self, arguments: &str, minion: Option<&str>) -> Applied {
        let local = self.call(arguments, minion);
        let Value::Object(states) = local else {
            panic!("{arguments}: {local:#}");
        };
        let states = states
            .into_iter()
            .map(|(tag, state)| {
                let id = state["__id__"].as_str().unwrap().to_owned();
                let function = tag.rsplit_once("_|-").unwrap().1.to_owned();
                let module = tag.split("_|-").next().unwrap();
                let name = state["name"].as_str().unwrap_or_default();
                ((id, format!("{module}.{function} {name}")), state)
            })
            .collect();
        Applied { states }
    }

    fn call(&self, arguments: &str, minion: Option<&str>) -> Value {
        let id = minion.map_or(String::new(), |id| format!("--id={id}"));
        let output = self.run(&format!(
            "{SALT}/bin/salt-call --local --log-level=quiet --out=json {id} {arguments}"
        ));
        let text = String::from_utf8_lossy(&output.stdout);
        let json: Value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{arguments}: {error}: {}", said(&output)));
        json["local"].clone()
    }

    /// The stand-in's machine.
    pub fn model(&self) -> Value {
        serde_json::from_str(&self.must(&format!("cat {MODEL}"))).unwrap()
    }

    /// Changes the stand-in's machine.
    pub fn change_model(&self, change: impl FnOnce(&mut Value)) {
        let mut model = self.model();
        change(&mut model);
        self.write(MODEL, &model.to_string());
    }

    /// What the packages' scripts called.
    pub fn qubesctl_calls(&self) -> String {
        self.must("cat /var/log/qubesctl.log")
    }

    /// Every path of the system, but what Salt, systemd and the tests keep for themselves.
    pub fn files(&self) -> Vec<String> {
        let listing = self.must(
            "find / -xdev \\( -path /proc -o -path /run -o -path /tmp -o -path /mnt -o -path /sys \
             -o -path /dev -o -path /var/cache/salt -o -path /var/log -o -path /var/lib/rpm \
             -o -path /var/lib/qubes-standin -o -path /etc/salt/pki -o -path /var/tmp \
             -o -path /var/lib/systemd -o -path /var/lib/private -o -path /srv/salt \
             -o -path '*/__pycache__' -o -path /root -o -path /var/lib/apt \
             -o -path /var/cache/apt \\) -prune -o -print",
        );
        let mut files: Vec<_> = listing.lines().map(str::to_owned).collect();
        files.sort();
        files
    }
}

/// What an application came to.
#[derive(Debug)]
pub struct Applied {
    states: BTreeMap<(String, String), Value>,
}

impl Applied {
    /// The states that did not succeed, with their comments.
    pub fn failures(&self) -> BTreeMap<&str, &str> {
        self.states
            .iter()
            .filter(|(_, state)| state["result"] == Value::Bool(false))
            .map(|((id, _), state)| (id.as_str(), state["comment"].as_str().unwrap_or_default()))
            .collect()
    }

    /// The ids of the states that changed something, or would.
    pub fn changed(&self) -> Vec<&str> {
        self.states
            .iter()
            .filter(|(_, state)| {
                !state["changes"]
                    .as_object()
                    .is_some_and(serde_json::Map::is_empty)
            })
            .map(|((id, _), _)| id.as_str())
            .collect()
    }

    /// All comments of one id.
    pub fn comment(&self, id: &str) -> String {
        self.states
            .iter()
            .filter(|((of, _), _)| of == id)
            .filter_map(|(_, state)| state["comment"].as_str())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Fails unless every state succeeded.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert!(!self.states.is_empty(), "no state was run");
        let failures = self.failures();
        assert!(failures.is_empty(), "{failures:#?}\n{:#?}", self.states);
        self
    }

    /// Fails if a state changed something.
    #[track_caller]
    pub fn unchanged(self) -> Self {
        let changed = self.changed();
        assert!(changed.is_empty(), "{changed:#?}\n{:#?}", self.states);
        self
    }

    /// How many states there were.
    pub fn count(&self) -> usize {
        self.states.len()
    }
}

/// Waits until `probe` has an answer.
#[track_caller]
pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(started.elapsed() < CEILING, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// The path of a file in the exchange folder, as a container sees it.
pub fn exchanged(name: &str) -> PathBuf {
    Path::new(EXCHANGE).join(name)
}
