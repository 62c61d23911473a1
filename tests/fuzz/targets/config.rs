// SPDX-License-Identifier: MIT OR Apache-2.0

//! Any bytes as a configuration: refused with findings that can be shown, or generated and packed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openclaw_formula::config::{self, Input};
use openclaw_formula::diagnostic;
use openclaw_formula::plan::Plan;
use openclaw_formula::sink::rpm;
use openclaw_formula::tree::Host;

fuzz_target!(|text: &str| {
    let outcome = config::read(&Input {
        file: Some(("openclaw.toml".to_owned(), text.to_owned())),
        ..Input::default()
    });
    let shown = diagnostic::render(&outcome.sources, &outcome.diagnostics, false);
    let Some(deployment) = outcome.deployment else {
        assert!(!shown.is_empty(), "refused without a word");
        return;
    };
    let plan = Plan::new(&deployment);
    rpm::build(Host::Template, &plan, &deployment.package, 0, None).expect("a plan can be packed");
});
