// SPDX-License-Identifier: MIT OR Apache-2.0

//! The few shell scripts that read what another qube says, given what a hostile one could say.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Built, said};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

/// The shells that `/bin/sh` is, in dom0 and Fedora, and in Debian.
const SHELLS: [&[&str]; 2] = [&["bash", "--posix"], &["dash"]];

/// A script in a folder of its own, whose commands are found there first.
struct Script {
    folder: TempDir,
    path: PathBuf,
}

impl Script {
    /// One of the formula's files, with a command that it calls.
    fn new(built: &Built, path: &str, command: &str, text: &str) -> Script {
        let folder = tempfile::tempdir().unwrap();
        let stub = folder.path().join(command);
        fs::write(&stub, text).unwrap();
        fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
        let formula = "dom0/srv/formulas/base/openclaw-formula/openclaw";
        Script {
            path: built.output.join(formula).join(path),
            folder,
        }
    }

    fn run(&self, shell: &[&str], argument: Option<&[u8]>) -> Output {
        let mut command = Command::new(shell[0]);
        command
            .args(&shell[1..])
            .arg(&self.path)
            .env_clear()
            .env("LC_ALL", "C.UTF-8")
            .env("HERE", self.folder.path())
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.folder.path().display()),
            )
            .stdin(Stdio::null())
            .current_dir(self.folder.path());
        if let Some(argument) = argument {
            command
                .env("QREXEC_SERVICE_ARGUMENT", OsStr::from_bytes(argument))
                .arg(OsStr::from_bytes(argument));
        }
        command.output().unwrap()
    }

    /// The files that are there now: none may be added.
    fn files(&self) -> usize {
        fs::read_dir(self.folder.path()).unwrap().count()
    }
}

/// Bytes, plain ones and those that mean something to a shell among them.
fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(b"0123456789abcXYZ_-".to_vec()),
        prop::sample::select(b" \t\n\r\0\x1b;&|<>()$`\\\"'*?[]#~=%!{}/.".to_vec()),
    ];
    prop::collection::vec(byte, 0..most)
}

/// An argument of a service: bytes, or what looks like a port.
fn argument() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        bytes(12),
        "[0-9]{1,6}".prop_map(String::into_bytes),
        "[0-9]{0,5}[-;|&$`()<>+./_ \n'\"*?,:a-f]{1,4}[0-9]{0,5}".prop_map(String::into_bytes),
    ]
}

/// The port that an argument is to qrexec itself.
fn port(argument: &[u8]) -> Option<u16> {
    let port = std::str::from_utf8(argument).ok()?.parse::<u16>().ok()?;
    // A number has one way to be written.
    (port > 0 && port.to_string().as_bytes() == argument).then_some(port)
}

/// The handler for a qube whose Qubes brings none.
#[test]
fn the_handler_takes_a_port_and_nothing_else() {
    let built = Built::config("[[server]]\n");
    let stub = "#!/bin/sh\necho \"$@\"\n";
    let handler = Script::new(
        &built,
        "files/etc/qubes-rpc/qubes.ConnectTCP",
        "socat",
        stub,
    );
    let mut runner = TestRunner::deterministic();
    let mut arguments: Vec<Vec<u8>> = [
        "",
        "18789;id",
        "../x",
        "18789 18790",
        "18789\n",
        "\n18789",
        "-1",
        "+1",
        "0x10",
        "1e3",
        "123456",
        "*",
        "$(id)",
        "`id`",
        "18789,fork",
        "18789,exec=id",
        "١٢٣",
        "0",
        "018789",
        "65535",
        "65536",
        "99999",
        // 18789, to a program that forgets what is over 16 bits.
        "84325",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    arguments.push(vec![b'1'; 100_000]);
    for _ in 0..200 {
        let mut argument = argument().new_tree(&mut runner).unwrap().current();
        argument.retain(|byte| *byte != 0);
        arguments.push(argument);
    }
    for shell in SHELLS {
        for argument in &arguments {
            let output = handler.run(shell, Some(argument));
            if let Some(port) = port(argument) {
                assert_eq!(said(&output), format!("-t 86400 - TCP:127.0.0.1:{port}\n"));
            } else {
                assert_eq!(output.status.code(), Some(64), "{argument:?}");
                assert_eq!(said(&output), "qubes.ConnectTCP: not a port\n");
            }
            assert_eq!(handler.files(), 1, "{argument:?}");
        }
        assert_eq!(handler.run(shell, None).status.code(), Some(64));
    }
}

/// dom0's command, which asks a qube for its token.
#[test]
fn dom0_takes_a_token_from_a_qube_and_nothing_else() {
    let built = Built::config("[[server]]\n");
    let stub = "#!/bin/sh\ncat \"$HERE/answer\"\n";
    let dashboard = Script::new(
        &built,
        "dom0/files/usr/local/bin/openclaw-dashboard",
        "qrexec-client",
        stub,
    );
    let url = b"http://127.0.0.1:18789/#token=";
    let answer_of = |answer: &[u8], shell: &[&str]| {
        fs::write(dashboard.folder.path().join("answer"), answer).unwrap();
        let output = dashboard.run(shell, None);
        assert_eq!(dashboard.files(), 2, "{answer:?}");
        // Nothing of what was said reaches the terminal, but for a token.
        assert!(
            output
                .stderr
                .iter()
                .all(|byte| matches!(byte, b'\n' | b' '..=b'~')),
            "{answer:?}: {}",
            said(&output)
        );
        let refused = output.status.code() == Some(1) && output.stdout.is_empty();
        let token = output
            .stdout
            .strip_prefix(url)
            .and_then(|rest| rest.strip_suffix(b"\n"))
            .is_some_and(|token| {
                let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
                !token.is_empty() && token.iter().all(plain)
            });
        assert!(
            refused || output.status.success() && token,
            "{answer:?}: {}",
            said(&output)
        );
        output.status.success()
    };
    let mut runner = TestRunner::deterministic();
    for shell in SHELLS {
        assert!(answer_of(
            &[url.as_slice(), b"0123abcdXYZ_-\n"].concat(),
            shell
        ));
        for _ in 0..100 {
            let (before, within, after) = (bytes(4), bytes(30), bytes(4))
                .new_tree(&mut runner)
                .unwrap()
                .current();
            answer_of(&[before.as_slice(), url, &within, &after].concat(), shell);
            answer_of(&[url.as_slice(), b"abc", &within].concat(), shell);
        }
        // More than anybody reads.
        assert!(!answer_of(&vec![b'a'; 10_000_000], shell));
    }
}

/// A qube that floods, trickles, or never answers costs dom0's command some seconds, and says
/// nothing to its user.
#[test]
fn dom0_is_done_with_a_qube_that_never_is() {
    let built = Built::config("[[server]]\n");
    let url = "http://127.0.0.1:18789/#token=";
    for (answer, token) in [
        ("exec sleep 600", None),
        (
            "exec yes \"$(printf '\\033]0;mine\\007\\033[2J')\" >&2",
            None,
        ),
        ("exec yes mine", None),
        ("while :; do printf m; sleep 0.05; done", None),
        // The token, and then no end.
        (&format!("echo '{url}abc'; exec yes mine >&2"), Some("abc")),
        (&format!("echo '{url}abc'; exec yes mine"), None),
        // Who does not end as it is told to.
        (
            &format!("trap '' TERM; echo '{url}abc'; while :; do sleep 0.1; done"),
            Some("abc"),
        ),
        // Letters to those who do not know ASCII.
        (&format!("echo '{url}ab\u{e9}c'"), None),
        (
            &format!("echo '{url}abc'; printf '\\033[2J' >&2; exit 7"),
            Some("abc"),
        ),
    ] {
        let stub = format!("#!/bin/sh\n{answer}\n");
        let path = "dom0/files/usr/local/bin/openclaw-dashboard";
        let mut dashboard = Script::new(&built, path, "qrexec-client", &stub);
        let text = fs::read_to_string(&dashboard.path).unwrap();
        let hasty = text.replace("--kill-after=2 20", "--kill-after=0.5 0.5");
        assert_ne!(hasty, text);
        dashboard.path = dashboard.folder.path().join("hasty");
        fs::write(&dashboard.path, hasty).unwrap();
        for shell in SHELLS {
            let begun = Instant::now();
            let output = dashboard.run(shell, None);
            assert!(begun.elapsed() < Duration::from_secs(20), "{answer}");
            let said = (
                String::from_utf8(output.stdout).unwrap(),
                // The shell's own word for what had to be killed.
                String::from_utf8(output.stderr)
                    .unwrap()
                    .replace("Killed\n", ""),
            );
            let expected = match token {
                Some(token) => (format!("{url}{token}\n"), String::new()),
                None => (
                    String::new(),
                    "openclaw-dashboard: openclaw-vm gives no token: does it run, and is \
                     OpenClaw configured in it?\n"
                        .to_owned(),
                ),
            };
            assert_eq!(said, expected, "{answer}");
        }
    }
}
