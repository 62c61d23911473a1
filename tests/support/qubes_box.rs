// SPDX-License-Identifier: MIT OR Apache-2.0

//! A dom0 and its qubes on this machine, by `tests/box`, and what a scenario says of itself.

use std::fmt::Display;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::{Built, from_setup, repository, said, stubs};

/// What ends within it on a busy machine, or never will: `tests/box` gives a host less to boot or
/// to end, and a rollout is done in a tenth of it.
pub const CEILING: Duration = Duration::from_secs(1200);

/// Where scenarios leave their logs, and boxes their files: in the build's own folder.
pub fn rollout_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("rollout")
}

/// What a scenario did and how long it took, on standard error and in a file.
pub struct Story {
    name: String,
    started: Instant,
    last: Instant,
    log: fs::File,
}

impl Story {
    /// Begins a story.
    pub fn of(name: &str) -> Story {
        fs::create_dir_all(rollout_folder()).unwrap();
        let log = fs::File::create(rollout_folder().join(format!("{name}.log"))).unwrap();
        Story {
            name: name.to_owned(),
            started: Instant::now(),
            last: Instant::now(),
            log,
        }
    }

    /// Tells what was just done.
    pub fn step(&mut self, what: impl Display) {
        let line = format!(
            "{}: {what} ({:.1} s)",
            self.name,
            self.last.elapsed().as_secs_f64()
        );
        eprintln!("{line}");
        writeln!(self.log, "{line}").unwrap();
        self.last = Instant::now();
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        let end = if std::thread::panicking() {
            "FAILED"
        } else {
            "passed"
        };
        let seconds = self.started.elapsed().as_secs_f64();
        let _ = writeln!(self.log, "{}: {end} in {seconds:.0} s", self.name);
    }
}

/// OpenClaw's programs in a fresh box.
#[derive(Clone, Copy, PartialEq)]
pub enum Programs {
    /// The formula installs them with npm, from a filled cache.
    Missing,
    /// New StandaloneVMs have them, as the formula's script installs them. For tests that are not
    /// about the installation.
    There,
}

/// A served box.
pub struct QubesBox {
    folder: PathBuf,
    programs: Programs,
    server: Option<Child>,
    keep: bool,
}

impl Drop for QubesBox {
    fn drop(&mut self) {
        if std::thread::panicking() && self.server.is_some() {
            self.leave_logs();
        }
        self.end();
        if !self.keep {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

impl QubesBox {
    /// A fresh machine.
    pub fn fresh(name: &str, programs: Programs) -> QubesBox {
        QubesBox::begin(name, programs, None)
    }

    /// A machine that begins as another that was ended.
    pub fn over(name: &str, other: &Path) -> QubesBox {
        QubesBox::begin(name, Programs::Missing, Some(other))
    }

    fn begin(name: &str, programs: Programs, other: Option<&Path>) -> QubesBox {
        from_setup("image");
        from_setup("npm/layer");
        from_setup("npm/programs");
        let folder = rollout_folder().join(name);
        for old in [&folder, &folder.with_extension("failed")] {
            if old.exists() {
                fs::remove_dir_all(old).unwrap();
            }
        }
        fs::create_dir_all(&folder).unwrap();
        if let Some(other) = other {
            let copied = program().arg("copy").args([other, &folder]).status();
            assert!(copied.unwrap().success());
        }
        let mut made = QubesBox {
            folder,
            programs,
            server: None,
            keep: false,
        };
        made.serve();
        if other.is_none() {
            stubs::write_all(&made.exchange());
            made.must("dom0", "rpm --install /mnt/exchange/*.rpm");
        }
        made
    }

    fn serve(&mut self) {
        let log = fs::File::options()
            .append(true)
            .create(true)
            .open(self.folder.join("box.log"))
            .unwrap();
        let mut serve = program();
        serve.arg("serve").arg(&self.folder);
        if self.programs == Programs::There {
            serve.arg("--programs");
        }
        let mut server = serve
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        // Nothing, if the server ends before it is ready; it bounds its own waits.
        let mut line = String::new();
        let mut stdout = BufReader::new(server.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        self.server = Some(server);
        assert_eq!(
            line,
            "ready\n",
            "{}",
            fs::read_to_string(self.folder.join("box.log")).unwrap()
        );
    }

    /// Cuts the power.
    fn end(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        drop(server.stdin.take());
        let started = Instant::now();
        while server.try_wait().unwrap().is_none() {
            if started.elapsed() > CEILING {
                // Its containers are killed with it.
                eprintln!(
                    "tests/box does not end at {}: killed",
                    self.folder.display()
                );
                let _ = server.kill();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Shuts the machine down as dom0 does, and keeps its files.
    pub fn shut_down(mut self) -> PathBuf {
        self.halt();
        self.keep = true;
        self.folder.clone()
    }

    fn halt(&mut self) {
        let running = self.must("dom0", "qvm-ls --raw-data --fields=name,state,class");
        for line in running.lines() {
            let fields: Vec<_> = line.split('|').collect();
            if fields[1] == "Running" && fields[2] != "AdminVM" && !fields[0].starts_with("sys-") {
                self.must(
                    "dom0",
                    &format!("qvm-shutdown --wait --force {}", fields[0]),
                );
            }
        }
        self.must("dom0", "sync");
        self.end();
    }

    /// Shuts everything down and starts it again.
    pub fn reboot(&mut self) {
        self.halt();
        self.serve();
    }

    /// The machine loses its power and gets it back.
    pub fn lose_power(&mut self) {
        self.end();
        self.serve();
    }

    fn exchange(&self) -> PathBuf {
        self.folder.join("exchange")
    }

    /// Runs a shell command in dom0 or a qube, as root.
    pub fn run(&self, host: &str, script: &str) -> Output {
        // What hangs ends with status 137, and the test with what it said.
        let mut command = Command::new("timeout");
        command
            .arg("--signal=KILL")
            .arg(CEILING.as_secs().to_string())
            .arg(program().get_program())
            .arg("enter")
            .arg(&self.folder)
            .args([host, "sh", "-c", script])
            .stdin(Stdio::null());
        command.output().unwrap()
    }

    /// Starts one, to be waited for.
    pub fn start(&self, host: &str, script: &str) -> Child {
        program()
            .arg("enter")
            .arg(&self.folder)
            .args([host, "sh", "-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Runs a shell command that must succeed; its standard output.
    #[track_caller]
    pub fn must(&self, host: &str, script: &str) -> String {
        let output = self.run(host, script);
        assert!(
            output.status.success(),
            "{host}: {script}: {}",
            said(&output)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a shell command that must fail; what it said.
    #[track_caller]
    pub fn must_fail(&self, host: &str, script: &str) -> String {
        let output = self.run(host, script);
        assert!(
            !output.status.success(),
            "{host}: {script}: {}",
            said(&output)
        );
        said(&output)
    }

    /// Whether a shell command succeeds.
    pub fn holds(&self, host: &str, script: &str) -> bool {
        self.run(host, script).status.success()
    }

    /// Waits until a shell command succeeds; what it printed.
    #[track_caller]
    pub fn until(&self, host: &str, script: &str) -> String {
        let started = Instant::now();
        loop {
            let output = self.run(host, script);
            if output.status.success() {
                return String::from_utf8_lossy(&output.stdout).into_owned();
            }
            assert!(
                started.elapsed() < CEILING,
                "{host}: waited in vain for {script}: {}",
                said(&output)
            );
            // A look costs as much as a tenth of a second of a core.
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// As the qube's user, with the user's own systemd.
    pub fn as_user(script: &str) -> String {
        format!(
            "cd /home/user && runuser -u user -- env HOME=/home/user \
             XDG_RUNTIME_DIR=/run/user/1000 sh -c '{}'",
            script.replace('\'', "'\\''")
        )
    }

    /// Puts a file where every host sees it, in /mnt/exchange.
    pub fn give(&self, from: &Path, name: &str) {
        fs::copy(from, self.exchange().join(name)).unwrap();
    }

    /// Installs or upgrades the dom0 package.
    pub fn install(&self, built: &Built) {
        self.give(&built.dom0, "dom0.rpm");
        self.must("dom0", "rpm --upgrade /mnt/exchange/dom0.rpm");
    }

    /// Makes known in dom0 and in the netvm what network mode needs.
    pub fn give_network_addon(&self) {
        stubs::write(&self.exchange(), stubs::NETWORK_ADDON, "4.2.0", &[]);
        self.must(
            "dom0",
            &format!(
                "rpm --install /mnt/exchange/{}.rpm && \
                 /mnt/standin/bin/qubes-standin unit sys-net {}",
                stubs::NETWORK_ADDON,
                stubs::ROUTING_MANAGER
            ),
        );
    }

    /// Writes a file in a host.
    pub fn write(&self, host: &str, path: &str, text: &str) {
        let name = format!("file-{host}");
        fs::write(self.exchange().join(&name), text).unwrap();
        self.must(
            host,
            &format!("install -D -m 644 /mnt/exchange/{name} '{path}'"),
        );
    }

    /// The process that a host's network belongs to, or that of the machines around.
    pub fn leader(&self, host: Option<&str>) -> String {
        let path = match host {
            Some(host) => self.folder.join("hosts").join(host).join("leader"),
            None => self.folder.join("lan"),
        };
        fs::read_to_string(path).unwrap()
    }

    /// A command of the test machine's own, in the network of a host, or around them.
    pub fn in_network_of(&self, host: Option<&str>, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--net", "--target", &self.leader(host)])
            .arg(program)
            .stdin(Stdio::null());
        command
    }

    fn leave_logs(&self) {
        let folder = self.folder.with_extension("failed");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for host in fs::read_dir(self.folder.join("hosts"))
            .into_iter()
            .flatten()
        {
            let name = host.unwrap().file_name().into_string().unwrap();
            if self
                .folder
                .join("hosts")
                .join(&name)
                .join("leader")
                .exists()
            {
                let log = said(&self.run(
                    &name,
                    "systemctl --failed; journalctl --no-pager --lines=400; \
                     cat /var/log/qubes/*.log 2>/dev/null",
                ));
                let _ = fs::write(folder.join(format!("{name}.log")), log);
            }
        }
        eprintln!("the logs are in {}", folder.display());
    }
}

fn program() -> Command {
    Command::new(repository().join("tests/box"))
}
