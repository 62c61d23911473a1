// SPDX-License-Identifier: MIT OR Apache-2.0

//! What passes connections on in dom0 and in clients, without Qubes: how many calls at once over all
//! ports, who waits and who gives way, what becomes of calls that fail or are lost, what a qube can
//! put into the log, what happens while the qube is off, and when nobody comes.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::repository;
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

/// Stands in for both clients of qrexec: takes what is said, and never answers.
const TAKES: &str = "#!/bin/sh\nexec cat >/dev/null\n";

/// Stands in for both clients of qrexec: notes that it was called, does what is given, and is an
/// echo if that does not end it.
fn failing(how: &str) -> String {
    format!("#!/bin/sh\nhere=$(dirname \"$0\")\necho >> $here/calls\n{how}\nexec cat >&0 2>&-\n")
}

/// A request; and what a browser's WebSocket answers to a ping.
const WORD: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const PONG: &[u8] = b"\x8a\x80mask";

/// Says something to an echo, and hears it.
#[track_caller]
fn talk(stream: &mut TcpStream, what: &[u8]) {
    let mut answer = vec![0; what.len()];
    stream.write_all(what).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, what);
}

/// What a forwarder does first here: it cannot start a program while there is a file that says so.
const FEW_PROCESSES: &str = r#"
spawn = os.posix_spawn
def few(*arguments, **options):
    if os.path.exists(os.path.dirname(os.path.realpath(__file__)) + "/no-process"):
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return spawn(*arguments, **options)
os.posix_spawn = few
"#;

/// Where it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Host {
    Dom0,
    Client,
}

impl Host {
    /// Calls at once, over all ports.
    fn calls(self) -> usize {
        match self {
            Host::Dom0 => 12,
            Host::Client => 8,
        }
    }

    /// Those of them that one port can have.
    fn of_a_port(self) -> usize {
        match self {
            Host::Dom0 => 9,
            Host::Client => 7,
        }
    }

    /// Made when it is used: a client's ends when nobody does.
    fn forwarder(self, changes: &[(&str, &str)]) -> Forwarder {
        self.beside(None, changes)
    }

    /// The same for another port of the same machine.
    fn beside(self, other: Option<&Forwarder>, changes: &[(&str, &str)]) -> Forwarder {
        match self {
            Host::Dom0 => Forwarder::in_dom0(other, true, "no", changes),
            Host::Client => Forwarder::in_client(other, changes),
        }
    }
}

const BOTH: [Host; 2] = [Host::Dom0, Host::Client];

/// Nobody waits for long here.
const IMPATIENT: (&str, &str) = (
    "SILENT, IDLE, QUIET = 10, 60, 10",
    "SILENT, IDLE, QUIET = 1, 2, 1",
);
const LOST_SOON: (&str, &str) = (
    "LOST = {\"dom0\": 10, \"client\": 30}",
    "LOST = {\"dom0\": 1, \"client\": 1}",
);
const TELLS_SOON: (&str, &str) = ("SELDOM, LONG = 60, 10", "SELDOM, LONG = 60, 1");

/// A forwarder with other paths than those of dom0 and of a qube.
struct Forwarder {
    folder: TempDir,
    address: SocketAddr,
    process: Option<Child>,
    /// What systemd listens with for a client.
    listener: Option<TcpListener>,
    host: Host,
    /// What the names of its machine's slots begin with.
    slots: String,
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
    /// A place to run one in: a machine of its own, or that of another one.
    fn of(host: Host, other: Option<&Forwarder>, changes: &[(&str, &str)]) -> Forwarder {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let template = "templates/common/usr/local/bin/openclaw-tcp-forward";
        let program = fs::read_to_string(repository().join(template)).unwrap();
        let here = format!("{}/", folder.path().display());
        let slots = match other {
            Some(other) => other.slots.clone(),
            None => format!("test-call-{here}"),
        };
        let mut moved = program;
        for (from, to) in [
            ("/usr/bin/q", format!("{here}q").as_str()),
            ("/run/qubes/", &here),
            ("openclaw-call-", &slots),
            ("UNUSED = 10", "UNUSED = 1"),
            ("START_AGAIN = 10", "START_AGAIN = 1"),
            ("\nAGAIN = 0.5", "\nAGAIN = 0.1"),
        ]
        .iter()
        .chain(changes)
        {
            assert!(moved.contains(from), "no {from}");
            moved = moved.replace(from, to);
        }
        let (imports, rest) = moved.split_once("import types\n").unwrap();
        let moved = format!("{imports}import types\n{FEW_PROCESSES}{rest}");
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
            host,
            slots,
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
    fn in_dom0(
        other: Option<&Forwarder>,
        runs: bool,
        start: &str,
        changes: &[(&str, &str)],
    ) -> Forwarder {
        let mut forwarder = Forwarder::of(Host::Dom0, other, changes);
        if runs {
            forwarder.run_qube();
        }
        let mut command = Command::new(forwarder.path().join("forward"));
        let port = forwarder.address.port().to_string();
        command.args(["dom0", &port, "claw", start]);
        forwarder.spawn(&mut command);
        let begun = Instant::now();
        // Its local address and 0A, which is LISTEN: others may have this port at their other end.
        let port = format!(":{:04X}", forwarder.address.port());
        let listens = |line: &str| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields.len() > 3 && fields[1].ends_with(&port) && fields[3] == "0A"
        };
        let sockets = || fs::read_to_string("/proc/net/tcp").unwrap();
        while !sockets().lines().any(listens) {
            assert!(begun.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(10));
        }
        forwarder
    }

    /// A client's, which systemd listens for.
    fn in_client(other: Option<&Forwarder>, changes: &[(&str, &str)]) -> Forwarder {
        let mut forwarder = Forwarder::of(Host::Client, other, changes);
        let listener = TcpListener::bind(forwarder.address).unwrap();
        // As many wait as the unit of the socket says.
        rustix::net::listen(&listener, 1024).unwrap();
        let mut command = Command::new("sh");
        let program = forwarder.path().join("forward");
        let script = format!(
            "exec {} client 18789 claw 3<&0 </dev/null",
            program.display()
        );
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

    /// As many as there may be for one port hold a call each.
    fn hold_all(&self) -> Vec<TcpStream> {
        let most = self.host.of_a_port();
        let held: Vec<_> = (0..most).map(|_| self.hold()).collect();
        self.until("all calls", || self.calls().len() == most);
        held
    }

    /// How often qrexec was called.
    fn called(&self) -> usize {
        self.text("calls").lines().count()
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
            for number in 0..80 {
                let served = &served;
                scope.spawn(move || {
                    let what = format!("{number:05}");
                    let answer = self.ask(what.as_bytes()).unwrap();
                    assert_eq!(answer, what.bytes().rev().collect::<Vec<_>>());
                    served.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(served.into_inner(), 80, "{}", self.text("log"));
        let peaks = self.text("peaks");
        let most = peaks.lines().map(|peak| peak.parse().unwrap()).max();
        let most = most.unwrap();
        assert!(
            (2..=self.host.of_a_port()).contains(&most),
            "{most} calls at once"
        );
    }
}

#[test]
fn dom0_serves_everybody_by_and_by() {
    let forwarder = Host::Dom0.forwarder(&[]);
    forwarder.serves_many();
    let port = forwarder.address.port();
    let call =
        format!("-w 60 --use-stdin-socket -d claw DEFAULT:QUBESRPC qubes.ConnectTCP+{port} dom0");
    assert_eq!(forwarder.text("calls").lines().next(), Some(call.as_str()));
    assert_eq!(forwarder.text("log"), "");
}

#[test]
fn what_is_said_comes_through_as_it_is() {
    let forwarder = Host::Dom0.forwarder(&[]);
    let everything: Vec<u8> = (0..=255).cycle().take(5_000_000).collect();
    let answer = forwarder.ask(&everything).unwrap();
    assert!(answer.into_iter().eq(everything.into_iter().rev()));
    assert_eq!(forwarder.ask(b"").unwrap(), b"");
}

#[test]
fn while_the_qube_is_off_a_connection_fails_at_once_and_the_log_says_why() {
    let forwarder = Forwarder::in_dom0(None, false, "no", &[]);
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
    let forwarder = Forwarder::in_dom0(None, false, "yes", &[]);
    forwarder.serves_many();
    assert_eq!(forwarder.text("starts"), "--skip-if-running claw\n");
    assert_eq!(
        forwarder.text("log"),
        "openclaw-tcp-forward: starting claw\n"
    );
}

#[test]
fn a_start_that_fails_is_told_and_tried_again_later() {
    let forwarder = Forwarder::in_dom0(None, false, "yes", &[]);
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
    let mut forwarder = Host::Client.forwarder(&[]);
    forwarder.serves_many();
    assert_eq!(
        forwarder.text("calls").lines().next(),
        Some("--use-stdin-socket claw qubes.ConnectTCP+18789")
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
    for host in BOTH {
        let forwarder = host.forwarder(&[]);
        forwarder.call_with(ECHO);
        let held = forwarder.hold_all();
        let mut waiting: Vec<_> = (0..1000).map(|_| forwarder.hold()).collect();
        for gone in waiting.drain(..800) {
            // Those reset their connection; others just end it.
            rustix::net::sockopt::set_socket_linger(&gone, Some(Duration::ZERO)).unwrap();
        }
        waiting.drain(..100);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(forwarder.calls().len(), host.of_a_port());
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
    for host in BOTH {
        let mut forwarder = host.forwarder(&[]);
        forwarder.call_with(ECHO);
        let mut held = forwarder.hold_all();
        for stream in &mut held {
            stream.read_exact(&mut [0]).unwrap();
        }
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
    for host in BOTH {
        let forwarder = host.forwarder(&[]);
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
        // Once a minute.
        assert_eq!(lines, ["no connection: Resource temporarily unavailable"]);
    }
}

#[test]
fn two_ports_share_one_budget_and_none_keeps_the_other_from_all() {
    for host in BOTH {
        let hog = host.forwarder(&[]);
        hog.call_with(TAKES);
        let other = host.beside(Some(&hog), &[]);
        other.call_with(ECHO);
        let both = || hog.calls().len() + other.calls().len();
        // As one port holds all it may, and more of its clients wait, the other one has a call...
        let _held = hog.hold_all();
        let mut waiting: Vec<_> = (0..20).map(|_| hog.hold()).collect();
        assert_eq!(other.ask(b"ab").unwrap(), b"ab");
        let mut first = other.hold();
        first.read_exact(&mut [0]).unwrap();
        // ...but not two, and a third port has one, if more are kept than one.
        let mut second = other.hold();
        second
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        assert!(second.read(&mut [0]).is_err());
        assert_eq!(both(), host.of_a_port() + 1);
        if host.calls() > both() {
            let third = host.beside(Some(&hog), &[]);
            third.call_with(ECHO);
            assert_eq!(third.ask(b"ab").unwrap(), b"ab");
        }

        // Those who wait have their turn as soon as there is room.
        rustix::process::kill_process(hog.calls()[0], rustix::process::Signal::KILL).unwrap();
        waiting.clear();
        second
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        rustix::process::kill_process(hog.calls()[0], rustix::process::Signal::KILL).unwrap();
        second.read_exact(&mut [0]).unwrap();
        assert!(both() <= host.calls());
    }
}

#[test]
fn a_busy_port_lets_another_have_its_turn() {
    for host in BOTH {
        let busy = host.forwarder(&[]);
        let other = host.beside(Some(&busy), &[]);
        let (served, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    while done.load(Ordering::Relaxed) < 8 {
                        assert_eq!(busy.ask(b"ab").unwrap(), b"ba");
                        served.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            busy.until("busy", || busy.calls().len() == host.of_a_port());
            let before = served.load(Ordering::Relaxed);
            // More than are kept for it: the rest has to come from the busy one.
            for _ in 0..8 {
                scope.spawn(|| {
                    assert_eq!(other.ask(b"ab").unwrap(), b"ba");
                    done.fetch_add(1, Ordering::Relaxed);
                });
            }
            while done.load(Ordering::Relaxed) < 8 {
                let more = served.load(Ordering::Relaxed) - before;
                assert!(more < 400, "the other port starves: {done:?}");
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        assert_eq!(busy.text("log") + &other.text("log"), "");
    }
}

#[test]
fn five_hundred_at_once_are_all_answered() {
    for host in BOTH {
        let forwarder = host.forwarder(&[]);
        forwarder.call_with(ECHO);
        std::thread::scope(|scope| {
            for _ in 0..500 {
                scope.spawn(|| assert_eq!(forwarder.ask(b"ab").unwrap(), b"ab"));
            }
        });
        assert_eq!(forwarder.text("log"), "");
    }
}

#[test]
fn who_waits_for_nothing_gives_way_the_longest_first() {
    for host in BOTH {
        let forwarder = host.forwarder(&[IMPATIENT]);
        forwarder.call_with(ECHO);
        let mut held: Vec<_> = (0..host.of_a_port())
            .map(|_| TcpStream::connect(forwarder.address).unwrap())
            .collect();
        // The third one says nothing from here on; the others do, and the first goes on.
        for number in [2, 1, 3, 4, 5, 6].into_iter().chain(7..held.len()) {
            talk(&mut held[number], WORD);
            std::thread::sleep(Duration::from_millis(100));
        }
        for _ in 0..8 {
            talk(&mut held[0], WORD);
            std::thread::sleep(Duration::from_millis(300));
        }
        // While nobody waits, nobody has to go.
        assert_eq!(forwarder.calls().len(), host.of_a_port());
        let mut new = TcpStream::connect(forwarder.address).unwrap();
        talk(&mut new, WORD);
        assert_eq!(held[2].read(&mut [0]).unwrap(), 0);
        held.remove(2);
        for stream in &mut held {
            talk(stream, WORD);
        }
        assert_eq!(forwarder.text("log"), "");

        // For another port as well, and those that never said anything.
        let other = host.beside(Some(&forwarder), &[IMPATIENT]);
        other.call_with(ECHO);
        let silent: Vec<_> = (0..host.calls())
            .map(|_| TcpStream::connect(other.address).unwrap())
            .collect();
        let mut last = TcpStream::connect(other.address).unwrap();
        talk(&mut last, WORD);
        drop(silent);
    }
}

#[test]
fn a_websocket_that_only_answers_pings_gives_way() {
    for host in BOTH {
        let forwarder = host.forwarder(&[IMPATIENT]);
        forwarder.call_with(ECHO);
        let mut held: Vec<_> = (0..host.of_a_port())
            .map(|_| TcpStream::connect(forwarder.address).unwrap())
            .collect();
        for stream in &mut held {
            talk(stream, WORD);
        }
        let mut new = TcpStream::connect(forwarder.address).unwrap();
        new.write_all(WORD).unwrap();
        new.set_nonblocking(true).unwrap();
        // More often than IDLE seconds, less often than QUIET seconds.
        let mut rounds = 0;
        while new.peek(&mut [0]).is_err() {
            assert!(rounds < 200, "nobody gives way");
            if rounds % 5 == 0 {
                // It may just have ended.
                let _ = held[0].write_all(PONG);
            }
            for stream in &mut held[1..] {
                talk(stream, WORD);
            }
            std::thread::sleep(Duration::from_millis(300));
            rounds += 1;
        }
        assert!(rounds > 5, "it had its time");
        let mut rest = Vec::new();
        let _ = held[0].read_to_end(&mut rest);
        assert!(rest.chunks(PONG.len()).all(|pong| pong == PONG));
        for stream in &mut held[1..] {
            talk(stream, WORD);
        }
        assert_eq!(forwarder.text("log"), "");
    }
}

#[test]
fn a_request_that_waits_for_its_answer_is_never_ended() {
    for host in BOTH {
        let forwarder = host.forwarder(&[IMPATIENT, TELLS_SOON]);
        forwarder.call_with(TAKES);
        let held = forwarder.hold_all();
        let calls = forwarder.calls();
        let mut new = forwarder.hold();
        let message = "openclaw-tcp-forward: all calls that may be open at once are in use: \
                       connections wait\n";
        forwarder.until("told", || forwarder.text("log") == message);
        // Longer than any of the limits.
        std::thread::sleep(Duration::from_millis(2500));
        assert_eq!(forwarder.calls(), calls);
        forwarder.call_with(ECHO);
        drop(held.into_iter().next());
        new.read_exact(&mut [0]).unwrap();
        assert_eq!(forwarder.text("log"), message);
    }
}

#[test]
fn an_answer_that_comes_in_pieces_is_not_ended_between_them() {
    for host in BOTH {
        let patient = "SILENT, IDLE, QUIET = 1, 2, 6";
        let forwarder = host.forwarder(&[(IMPATIENT.0, patient)]);
        // As a model's answer: more than IDLE seconds after the question, less than QUIET apart.
        forwarder.call_with(
            "#!/bin/sh\nhead -c 1 >/dev/null\n\
             for i in 1 2 3 4 5 6 7 8 9; do echo $i >&0; sleep 0.5; done\n",
        );
        let held: Vec<_> = (0..host.of_a_port()).map(|_| forwarder.hold()).collect();
        forwarder.until("calls", || forwarder.calls().len() == held.len());
        let waits = forwarder.hold();
        for mut stream in held {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
        }
        drop(waits);
    }
}

#[test]
fn a_call_that_fails_before_its_first_byte_is_tried_again() {
    for host in BOTH {
        let forwarder = host.forwarder(&[]);
        // The first two fail.
        forwarder.call_with(&failing("[ $(wc -l < $here/calls) -gt 2 ] || exit 1"));
        assert_eq!(forwarder.ask(b"ab").unwrap(), b"ab");
        assert_eq!(forwarder.called(), 3);
        assert_eq!(forwarder.text("log"), "");

        // Not for ever, and it is told once.
        forwarder.call_with(&failing("exit 125"));
        for _ in 0..2 {
            assert!(forwarder.ask(b"x").unwrap_or_default().is_empty());
        }
        assert_eq!(forwarder.called(), 3 + 2 * 3);
        let message = "openclaw-tcp-forward: a call to claw failed with status 125: \
                       the qube or the port does not answer\n";
        assert_eq!(forwarder.text("log"), message);

        // Not what policy refuses; nor one that took a byte, or gave one, or ended the connection.
        for (number, fails) in [
            "exit 126",
            "head -c 1 >/dev/null; exit 1",
            "printf x >&0; exit 1",
            "python3 -Ic 'import socket; socket.socket(fileno=0).shutdown(1)'; exit 1",
        ]
        .iter()
        .enumerate()
        {
            forwarder.call_with(&failing(fails));
            let _ = forwarder.ask(b"ab");
            forwarder.until("ended", || forwarder.calls().is_empty());
            assert_eq!(forwarder.called(), 10 + number, "{fails}");
        }
        assert_eq!(forwarder.text("log"), message);

        // Told, too, if its client is faster to go than its process.
        let forwarder = host.forwarder(&[]);
        forwarder.call_with(&failing(
            "python3 -Ic 'import socket; socket.socket(fileno=0).shutdown(1)'; sleep 0.3; exit 125",
        ));
        assert!(forwarder.ask(b"x").unwrap().is_empty());
        forwarder.until("told", || forwarder.text("log") == message);
    }
}

#[test]
fn a_lost_call_does_not_keep_its_place() {
    for host in BOTH {
        let forwarder = host.forwarder(&[LOST_SOON, IMPATIENT]);
        // As many as there may be hang before they take anything.
        let most = host.of_a_port();
        forwarder.call_with(&failing(&format!(
            "[ $(wc -l < $here/calls) -gt {most} ] || exec sleep 600"
        )));
        let held = forwarder.hold_all();
        let mut new = forwarder.hold();
        new.read_exact(&mut [0]).unwrap();
        // They were tried again, and what was said is not lost.
        for mut stream in held {
            stream.read_exact(&mut [0]).unwrap();
        }
        assert_eq!(
            forwarder.text("log"),
            "openclaw-tcp-forward: a call to claw does not get through\n"
        );
    }
}

#[test]
fn nothing_that_a_qube_says_gets_into_the_log() {
    for host in BOTH {
        let forwarder = host.forwarder(&[]);
        forwarder.call_with(&failing(
            "yes \"$(printf '<0>\\033[2Jopenclaw-tcp-forward: lies')\" | head -c 20000000 | \
             tee /dev/stdout >&2",
        ));
        assert_eq!(forwarder.ask(b"ab").unwrap(), b"ab");
        forwarder.call_with(&failing("printf '<0>it failed' >&2; exit 7"));
        for _ in 0..5 {
            assert!(forwarder.ask(b"ab").unwrap_or_default().is_empty());
        }
        assert_eq!(
            forwarder.text("log"),
            "openclaw-tcp-forward: a call to claw failed with status 7\n"
        );
    }
    // Nor does what is in it have a priority of its own.
    for unit in [
        "dom0/etc/systemd/system/openclaw-tunnel@.service",
        "client/home/user/.config/systemd/user/openclaw-client.service",
    ] {
        let unit = fs::read_to_string(repository().join("templates").join(unit)).unwrap();
        assert!(unit.contains("\nSyslogLevelPrefix=no\n"), "{unit}");
    }
}
