// SPDX-License-Identifier: MIT OR Apache-2.0

//! The stand-in for Qubes' modules does what they do, faults included: its own test, run under
//! each Salt.

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
