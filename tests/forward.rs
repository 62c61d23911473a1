// SPDX-License-Identifier: MIT OR Apache-2.0

//! What passes connections on in dom0 and in clients, without Qubes: how many calls at once, who
//! waits, what happens while the qube is off, and when nobody comes.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::repository;
use tempfile::TempDir;

/// Stands in for both clients of qrexec: takes what is said to the end, keeps its place for a
/// moment, and answers with it. Notes how many of it there are, and what it was called with.
const QREXEC: &str = r#"#!/usr/bin/python3 -I
import os, socket, sys, time
here = os.path.dirname(os.path.realpath(__file__))
open(os.path.join(here, "calls"), "a").write(" ".join(sys.argv[1:]) + "\n")
mine = os.path.join(here, "at-once", str(os.getpid()))
open(mine, "w").close()
open(os.path.join(here, "peaks"), "a").write("%d\n" % len(os.listdir(os.path.dirname(mine))))
stream = socket.socket(fileno=0)
data = b""
while piece := stream.recv(65536):
    data += piece
time.sleep(0.05)
os.unlink(mine)
stream.sendall(data[::-1])
stream.shutdown(socket.SHUT_WR)
"#;

/// Stands in for qvm-start: takes a while, and does what the file beside it says.
const QVM_START: &str = "#!/bin/sh\n\
    here=$(dirname \"$0\")\n\
    echo \"$*\" >> \"$here/starts\"\n\
    sleep 0.5\n\
    [ -e \"$here/no-memory\" ] && { echo 'not enough memory' >&2; exit 1; }\n\
    touch \"$here/qrexec.claw\"\n";

/// A forwarder with other paths than those of dom0 and of a qube.
struct Forwarder {
    folder: TempDir,
    address: SocketAddr,
    process: Option<Child>,
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Forwarder {
    /// A place to run one in.
    fn of(host: &str) -> Forwarder {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let template = format!("templates/{host}/usr/local/bin/openclaw-tcp-forward");
        let program = fs::read_to_string(repository().join(template)).unwrap();
        let here = format!("{}/", folder.path().display());
        let moved = program
            .replace("/usr/bin/q", &format!("{here}q"))
            .replace("/run/qubes/", &here)
            .replace("IDLE = 10", "IDLE = 1")
            .replace("AGAIN = 10", "AGAIN = 1");
        assert!(moved.matches(&here).count() >= 1);
        for (name, text) in [
            ("forward", moved.as_str()),
            ("qrexec-client", QREXEC),
            ("qrexec-client-vm", QREXEC),
            ("qvm-start", QVM_START),
        ] {
            fs::write(path(name), text).unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::create_dir(path("at-once")).unwrap();
        // Free when it is asked for; nothing else on the machine asks in between.
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        Forwarder {
            folder,
            address,
            process: None,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap_or_default()
    }

    fn spawn(&mut self, command: &mut Command) {
        let log = fs::File::create(self.path().join("log")).unwrap();
        let child = command.stdin(Stdio::null()).stderr(log).spawn().unwrap();
        self.process = Some(child);
    }

    /// dom0's, which listens itself.
    fn in_dom0(runs: bool, start: &str) -> Forwarder {
        let mut forwarder = Forwarder::of("dom0");
        if runs {
            forwarder.run_qube();
        }
        let mut command = Command::new(forwarder.path().join("forward"));
        command.args([&forwarder.address.port().to_string(), "claw", start]);
        forwarder.spawn(&mut command);
        let begun = Instant::now();
        let port = format!(":{:04X} ", forwarder.address.port());
        while !fs::read_to_string("/proc/net/tcp").unwrap().contains(&port) {
            assert!(begun.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(10));
        }
        forwarder
    }

    fn run_qube(&self) {
        fs::write(self.path().join("qrexec.claw"), "").unwrap();
    }

    /// Connects, says something to the end, and hears the answer.
    fn ask(&self, what: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.write_all(what)?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }

    /// Many ask at once, and all are answered; never with more calls than there may be.
    fn serves_many(&self) {
        let served = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for number in 0..150 {
                let served = &served;
                scope.spawn(move || {
                    let what = format!("{number:05}");
                    let answer = self.ask(what.as_bytes()).unwrap();
                    assert_eq!(answer, what.bytes().rev().collect::<Vec<_>>());
                    served.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(served.into_inner(), 150, "{}", self.text("log"));
        let peaks = self.text("peaks");
        let most = peaks.lines().map(|peak| peak.parse().unwrap()).max();
        assert!((2..=32).contains(&most.unwrap()), "{most:?} calls at once");
    }
}

#[test]
fn dom0_serves_everybody_by_and_by() {
    let forwarder = Forwarder::in_dom0(true, "no");
    forwarder.serves_many();
    let port = forwarder.address.port();
    let call =
        format!("-T --use-stdin-socket -d claw DEFAULT:QUBESRPC qubes.ConnectTCP+{port} dom0");
    assert_eq!(forwarder.text("calls").lines().next(), Some(call.as_str()));
    assert_eq!(forwarder.text("log"), "");
}

#[test]
fn what_is_said_comes_through_as_it_is() {
    let forwarder = Forwarder::in_dom0(true, "no");
    let everything: Vec<u8> = (0..=255).cycle().take(5_000_000).collect();
    let answer = forwarder.ask(&everything).unwrap();
    assert!(answer.into_iter().eq(everything.into_iter().rev()));
    assert_eq!(forwarder.ask(b"").unwrap(), b"");
}

#[test]
fn while_the_qube_is_off_a_connection_fails_at_once_and_the_log_says_why() {
    let forwarder = Forwarder::in_dom0(false, "no");
    let refused = || {
        let begun = Instant::now();
        // An end or a reset, whichever comes first.
        assert!(forwarder.ask(b"x").unwrap_or_default().is_empty());
        assert!(begun.elapsed() < Duration::from_secs(2));
    };
    let message = "openclaw-tcp-forward: connections fail: claw is not running. \
                   To start it: qvm-start claw\n";
    for _ in 0..100 {
        refused();
    }
    assert_eq!(forwarder.text("log"), message);
    assert_eq!(forwarder.text("calls") + &forwarder.text("starts"), "");

    // It says so once each time.
    forwarder.run_qube();
    assert_eq!(forwarder.ask(b"ab").unwrap(), b"ba");
    fs::remove_file(forwarder.path().join("qrexec.claw")).unwrap();
    refused();
    refused();
    assert_eq!(forwarder.text("log"), message.repeat(2));
}

#[test]
fn a_connection_starts_the_qube_if_that_is_asked_for() {
    let forwarder = Forwarder::in_dom0(false, "yes");
    forwarder.serves_many();
    assert_eq!(forwarder.text("starts"), "--skip-if-running claw\n");
    assert_eq!(
        forwarder.text("log"),
        "openclaw-tcp-forward: starting claw\n"
    );
}

#[test]
fn a_start_that_fails_is_told_and_tried_again_later() {
    let forwarder = Forwarder::in_dom0(false, "yes");
    let no_memory = forwarder.path().join("no-memory");
    fs::write(&no_memory, "").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| forwarder.ask(b"x").map(|answer| assert!(answer.is_empty())));
        }
    });
    assert_eq!(forwarder.text("starts").lines().count(), 1);
    insta::assert_snapshot!(forwarder.text("log"), @r"
    openclaw-tcp-forward: starting claw
    not enough memory
    openclaw-tcp-forward: connections fail: claw is not running. To start it: qvm-start claw
    ");
    fs::remove_file(no_memory).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(forwarder.ask(b"ab").unwrap(), b"ba");
    assert_eq!(forwarder.text("starts").lines().count(), 2);
}

#[test]
fn a_client_serves_everybody_and_runs_nothing_while_nobody_comes() {
    let mut forwarder = Forwarder::of("client");
    // As systemd does with a socket of its own.
    let listener = TcpListener::bind(forwarder.address).unwrap();
    let passed = rustix::io::dup(&listener).unwrap();
    let command = format!(
        "exec {}/forward 18789 claw 3<&0",
        forwarder.path().display()
    );
    let log = fs::File::create(forwarder.path().join("log")).unwrap();
    let child = Command::new("sh")
        .args(["-c", &command])
        .stdin(Stdio::from(passed))
        .stderr(log)
        .spawn()
        .unwrap();
    forwarder.process = Some(child);
    forwarder.serves_many();
    assert_eq!(
        forwarder.text("calls").lines().next(),
        Some("-T --use-stdin-socket claw qubes.ConnectTCP+18789")
    );

    // It stays while somebody is connected, and ends when nobody is.
    let held = TcpStream::connect(forwarder.address).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let process = forwarder.process.as_mut().unwrap();
    assert!(process.try_wait().unwrap().is_none(), "it ended too early");
    drop(held);
    let begun = Instant::now();
    while process.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it stays");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(process.wait().unwrap().success());
    // Whoever comes now is kept for the next one.
    assert!(TcpStream::connect(forwarder.address).is_ok());
    assert_eq!(forwarder.text("log"), "");
}
