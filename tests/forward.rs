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

/// Stands in for both clients of qrexec, and costs little: says again what it hears, at once.
const ECHO: &str = "#!/bin/sh\nexec cat >&0 2>&-\n";

/// What a forwarder does first here: it cannot start a program while there is a file that says so.
const FEW_PROCESSES: &str = r#"
fork = os.fork
def os_fork():
    if os.path.exists(os.path.dirname(os.path.realpath(__file__)) + "/no-process"):
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()
os.fork = os_fork
"#;

/// One of each, made when it is used: a client's ends when nobody does.
const BOTH: [fn() -> Forwarder; 2] = [|| Forwarder::in_dom0(true, "no"), Forwarder::in_client];

/// A forwarder with other paths than those of dom0 and of a qube.
struct Forwarder {
    folder: TempDir,
    address: SocketAddr,
    process: Option<Child>,
    /// What systemd listens with for a client.
    listener: Option<TcpListener>,
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
        let (imports, rest) = moved.split_once("import time\n").unwrap();
        let moved = format!("{imports}import time\n{FEW_PROCESSES}{rest}");
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
            listener: None,
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

    /// A client's, which systemd listens for.
    fn in_client() -> Forwarder {
        let mut forwarder = Forwarder::of("client");
        let listener = TcpListener::bind(forwarder.address).unwrap();
        // As many wait as the unit of the socket says.
        rustix::net::listen(&listener, 1024).unwrap();
        let mut command = Command::new("sh");
        let program = forwarder.path().join("forward");
        let script = format!("exec {} 18789 claw 3<&0 </dev/null", program.display());
        command.args(["-c", &script]);
        let log = fs::File::create(forwarder.path().join("log")).unwrap();
        let child = command.stdin(Stdio::from(rustix::io::dup(&listener).unwrap()));
        forwarder.process = Some(child.stderr(log).spawn().unwrap());
        forwarder.listener = Some(listener);
        forwarder
    }

    fn set(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// What does the calls from here on.
    fn call_with(&self, text: &str) {
        for name in ["qrexec-client", "qrexec-client-vm"] {
            self.set(name, text);
        }
    }

    fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(self.process.as_ref().unwrap())
    }

    /// The processes of calls.
    fn calls(&self) -> Vec<rustix::process::Pid> {
        let pid = self.pid().as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let pids = children.split_whitespace().map(|pid| pid.parse().unwrap());
        pids.filter_map(rustix::process::Pid::from_raw).collect()
    }

    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "not {what}: {}",
                self.text("log")
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Somebody who holds a call.
    fn hold(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(b"x").unwrap();
        stream
    }

    /// As many as there may be hold a call each.
    fn hold_all(&self) -> Vec<TcpStream> {
        let held: Vec<_> = (0..32).map(|_| self.hold()).collect();
        self.until("32 calls", || self.calls().len() == 32);
        held
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
    let mut forwarder = Forwarder::in_client();
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

#[test]
fn a_thousand_wait_and_those_who_give_up_harm_nobody() {
    for new in BOTH {
        let forwarder = new();
        forwarder.call_with(ECHO);
        let held = forwarder.hold_all();
        let mut waiting: Vec<_> = (0..1000).map(|_| forwarder.hold()).collect();
        for gone in waiting.drain(..300) {
            // Those reset their connection; as many more just end it.
            rustix::net::sockopt::set_socket_linger(&gone, Some(Duration::ZERO)).unwrap();
        }
        waiting.drain(..300);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(forwarder.calls().len(), 32);
        let status = format!("/proc/{}/status", forwarder.pid().as_raw_nonzero());
        let status = fs::read_to_string(status).unwrap();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u32 = memory
            .unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap();
        assert!(kib < 24_000, "{kib} KiB");

        drop(held);
        for mut stream in waiting {
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            assert_eq!(answer, b"x");
        }
        forwarder.until("done", || forwarder.calls().is_empty());
        assert_eq!(forwarder.text("log"), "");
    }
}

#[test]
fn a_qube_that_dies_ends_its_connections_and_no_more() {
    for new in BOTH {
        let mut forwarder = new();
        forwarder.call_with(ECHO);
        let held = forwarder.hold_all();
        for call in forwarder.calls() {
            rustix::process::kill_process(call, rustix::process::Signal::KILL).unwrap();
        }
        for mut stream in held {
            stream
                .set_read_timeout(Some(Duration::from_secs(30)))
                .unwrap();
            // What it said until then, and the end or a reset.
            let _ = stream.read_to_end(&mut Vec::new()).map_err(|error| {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
            });
        }
        assert_eq!(forwarder.ask(b"ab").unwrap(), b"ab");

        // It is told to end: it does, whoever is connected.
        let _held = forwarder.hold_all();
        rustix::process::kill_process(forwarder.pid(), rustix::process::Signal::TERM).unwrap();
        let begun = Instant::now();
        let process = forwarder.process.as_mut().unwrap();
        while process.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(10), "it stays");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_machine_without_room_costs_the_new_connections_alone() {
    for new in BOTH {
        let forwarder = new();
        forwarder.call_with(ECHO);
        let mut held = forwarder.hold();
        let mut byte = [0];
        held.read_exact(&mut byte).unwrap();

        // No more processes.
        forwarder.set("no-process", "");
        assert!(forwarder.ask(b"x").unwrap_or_default().is_empty());
        fs::remove_file(forwarder.path().join("no-process")).unwrap();
        assert_eq!(forwarder.ask(b"ab").unwrap(), b"ab");

        // No more descriptors: who comes waits.
        let limit = |current| rustix::process::Rlimit {
            current: Some(current),
            maximum: Some(20_000),
        };
        let resource = rustix::process::Resource::Nofile;
        forwarder.until("one call", || forwarder.calls().len() == 1);
        rustix::process::prlimit(Some(forwarder.pid()), resource, limit(3)).unwrap();
        let mut waits = forwarder.hold();
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(forwarder.calls().len(), 1);
        rustix::process::prlimit(Some(forwarder.pid()), resource, limit(1024)).unwrap();
        waits.read_exact(&mut byte).unwrap();

        held.write_all(b"y").unwrap();
        held.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"y");
        let log = forwarder.text("log");
        let lines: Vec<_> = log
            .lines()
            .map(|line| line.trim_start_matches("openclaw-tcp-forward: "))
            .collect();
        assert_eq!(
            lines,
            [
                "no connection: Resource temporarily unavailable",
                "no connection: Too many open files",
            ]
        );
    }
}
