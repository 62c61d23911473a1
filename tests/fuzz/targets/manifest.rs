// SPDX-License-Identifier: MIT OR Apache-2.0

//! Any bytes as a package, with a manifest that lists it, as a manifest, and as a key: an answer,
//! never a crash.

#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use openclaw_formula::openpgp::Certificate;
use openclaw_formula::rpmfile::Parts;
use openclaw_formula::verify;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let manifest = folder.path().join("MANIFEST.json");
    fs::write(&manifest, bytes).expect("a file can be written");
    let _ = verify::directory(folder.path(), None);

    let package = folder.path().join("openclaw-formula-dom0-0.1.0-1.noarch.rpm");
    fs::write(&package, bytes).expect("a file can be written");
    let listed = serde_json::json!({
        "format": 1, "generator": "", "source_date_epoch": 0, "input": {}, "dom0": [],
        "template": [],
        "packages": [{ "file": package.file_name().unwrap().to_str(), "size": 0, "sha256": "" }],
    });
    fs::write(&manifest, listed.to_string()).expect("a file can be written");
    let _ = verify::package(&package, None);

    let _ = Parts::read(bytes);
    let _ = Certificate::read("KEY.asc", bytes);
});
