// SPDX-License-Identifier: MIT OR Apache-2.0

//! What stands in for Qubes and for downloads does what the originals do, faults included: the own
//! test of each, that of the Qubes modules under each Salt.

mod support;

use std::process::Command;

use support::{from_setup, repository, said};

fn passes_under(salt: &str) {
    let (Some(salt_call), Some(python)) = (
        from_setup(&format!("{salt}/bin/salt-call")),
        from_setup(&format!("{salt}/bin/python")),
    ) else {
        return;
    };
    let output = Command::new(python)
        .arg("-B")
        .arg(repository().join("tests/standin/selftest.py"))
        .env("SALT_CALL", salt_call)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn the_standin_passes_its_test_under_salt_3006() {
    passes_under("salt-3006");
}

#[test]
fn the_standin_passes_its_test_under_salt_3007() {
    passes_under("salt-3007");
}

#[track_caller]
fn passes(selftest: &str) {
    // Debian's own Python, as in the hosts of the tests.
    let output = Command::new("/usr/bin/python3")
        .arg("-B")
        .arg(repository().join("tests/standin").join(selftest))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn policy_is_evaluated_as_documented() {
    passes("lib/policy_selftest.py");
}

#[test]
fn hostile_calls_are_refused() {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "qrexec needs root");
        eprintln!("skipped: qrexec needs root");
        return;
    }
    passes("lib/qrexec_selftest.py");
}

#[test]
fn providers_behave_as_the_real_ones() {
    passes("provider/provider_selftest.py");
}
