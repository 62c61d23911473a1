// SPDX-License-Identifier: MIT OR Apache-2.0

//! `verify`: compares what was written with its manifest, and checks signatures.

use super::args::Verify;
use super::signing::read_key;
use super::{Failure, print_output, print_status};
use crate::openpgp::Certificate;
use crate::read::printable;
use crate::verify;

pub(super) fn run(args: &Verify) -> Result<(), Failure> {
    let manifest = args.manifest.as_deref();
    let refused = |error: verify::Error| Failure::BadInput(error.to_string());
    let is_directory = args.path.is_dir();
    let mut reports = Vec::new();
    let mut praise = Vec::new();
    if is_directory {
        reports.push(verify::directory(&args.path, manifest).map_err(refused)?);
        praise.push("as its manifest says".to_owned());
    } else if args.key.is_none() || manifest.is_some() {
        reports.push(verify::package(&args.path, manifest).map_err(refused)?);
        praise.push("as its manifest says".to_owned());
    }
    match &args.key {
        Some(path) => {
            let (shown, bytes) = read_key(path)?;
            let key = Certificate::read(&shown, &bytes)?;
            let signatures = if is_directory {
                verify::signatures(&args.path, &key)
            } else {
                verify::signature(&args.path, &key)
            };
            reports.push(signatures.map_err(refused)?);
            praise.push(format!("signed by {key}"));
        }
        None => print_status(
            "note: without --key, nothing here says who wrote it: a manifest is as easily \
             written as what it lists",
        ),
    }
    for note in reports.iter().flat_map(|report| &report.notes) {
        print_status(note);
    }
    let findings: Vec<_> = reports
        .into_iter()
        .flat_map(|report| report.findings)
        .collect();
    if findings.is_empty() {
        let shown = printable(&args.path.to_string_lossy());
        print_status(&format!("{shown}: {}", praise.join(", ")));
        return Ok(());
    }
    print_output(&(findings.join("\n") + "\n"))?;
    Err(Failure::Differs)
}
