// SPDX-License-Identifier: MIT OR Apache-2.0

//! What stands in for Qubes and for downloads does what the originals do, faults included: the own
//! test of each, that of the Qubes modules under each Salt.

use crate::support::bed::{Salt, in_image};
use crate::support::{said, stdout};

/// Runs a self-test as the hosts of the tests would: by the image's Python.
#[track_caller]
fn passes(selftest: &str, salt: Salt) {
    let mut command = in_image(salt);
    let output = command
        .args([
            "--setenv=SALT_CALL=/opt/salt/bin/salt-call",
            "/usr/bin/python3",
            "-B",
        ])
        .arg(format!("/mnt/repository/tests/standin/{selftest}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn the_standin_passes_its_test_under_salt_3007() {
    passes("selftest.py", Salt::V3007);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn the_standin_passes_its_test_under_salt_3008() {
    passes("selftest.py", Salt::V3008);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn policy_is_evaluated_as_documented() {
    passes("lib/policy_selftest.py", Salt::V3007);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn hostile_calls_are_refused() {
    passes("lib/qrexec_selftest.py", Salt::V3007);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn providers_behave_as_the_real_ones() {
    passes("provider/provider_selftest.py", Salt::V3007);
}

/// What a `debian-13` qube has, and dom0's Python in Qubes 4.3.
#[test]
#[ignore = "needs tests/setup: tests/run"]
fn the_image_is_todays_platform() {
    let mut command = in_image(Salt::V3007);
    let versions = stdout(command.args([
        "sh",
        "-c",
        ". /etc/os-release && echo \"$VERSION_CODENAME\" && python3 --version && \
         /opt/salt/bin/python3 --version && systemctl --version && rpm --version",
    ]));
    for expected in [
        "trixie",
        "Python 3.13.",
        "systemd 257 ",
        "RPM version 4.20.",
    ] {
        assert!(
            versions.lines().any(|line| line.starts_with(expected)),
            "{expected}: {versions}"
        );
    }
    assert_eq!(versions.matches("Python 3.13.").count(), 2, "{versions}");
}
