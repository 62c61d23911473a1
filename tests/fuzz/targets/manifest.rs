// SPDX-License-Identifier: MIT OR Apache-2.0

//! Any bytes as a package, with a manifest that lists it, as a manifest, as a key, and as changes to
//! real packages: an answer, never a crash.

#![no_main]

use std::fs;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use openclaw_formula::config::{self, Input};
use openclaw_formula::manifest::Manifest;
use openclaw_formula::openpgp::Certificate;
use openclaw_formula::plan::Plan;
use openclaw_formula::read::deb;
use openclaw_formula::read::rpm::Parts;
use openclaw_formula::sink;
use openclaw_formula::tree::{Host, sha256};
use openclaw_formula::verify;

/// A package of each format, as they are written.
fn packages() -> &'static [Vec<u8>; 2] {
    static PACKAGES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        let text = "[[server]]\nclass = \"app\"\ntemplate = \"debian-13-xfce\"\n";
        let outcome = config::read(&Input {
            file: Some(("openclaw.toml".to_owned(), text.to_owned())),
            ..Input::default()
        });
        let deployment = outcome.deployment.expect("the configuration is in order");
        let (plan, version) = (Plan::new(&deployment), &deployment.package);
        let rpm = sink::rpm::build(Host::Template, &plan, version, 0, None);
        let deb = sink::deb::build(&plan, version, 0);
        [
            rpm.expect("it can be packed"),
            deb.expect("it can be packed"),
        ]
    })
}

/// Reads a package, whatever it is.
fn read(bytes: &[u8]) {
    if let Ok(parts) = Parts::read(bytes) {
        let _ = parts.contents();
    }
    let _ = deb::read(bytes);
}

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let beside = folder.path().join("MANIFEST.json");
    fs::write(&beside, bytes).expect("a file can be written");
    let _ = verify::directory(folder.path(), None);

    let package = folder
        .path()
        .join("openclaw-formula-dom0-0.1.0-1.noarch.rpm");
    fs::write(&package, bytes).expect("a file can be written");
    let listed = serde_json::json!({
        "format": 1, "generator": "", "source_date_epoch": 0, "input": {}, "dom0": [],
        "template": [],
        "packages": [{
            "file": package.file_name().unwrap().to_str(),
            "size": bytes.len(),
            "sha256": sha256(bytes),
        }],
    });
    Manifest::parse(listed.to_string().as_bytes()).expect("the manifest is one");
    fs::write(&beside, listed.to_string()).expect("a file can be written");
    // It says nothing of the package, so there is always something to find.
    let report = verify::directory(folder.path(), None).expect("the folder can be read");
    assert!(!report.findings.is_empty());

    let key = Certificate::read("KEY.asc", bytes);
    if let (Ok(key), Ok(parts)) = (key, Parts::read(bytes)) {
        let _ = parts.findings(&key);
    }
    read(bytes);
    // Each three bytes put another byte in a place of a package.
    for package in packages() {
        let mut changed = package.clone();
        for change in bytes.as_chunks::<3>().0.iter().take(64) {
            let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % package.len();
            changed[at] = change[2];
        }
        read(&changed);
    }
});
