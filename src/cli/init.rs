// SPDX-License-Identifier: MIT OR Apache-2.0

//! A configuration to begin with: every key, with its meaning and its default.

use std::fmt::Write as _;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use super::args::Init;
use super::commands::report;
use super::{Failure, product, story};
use crate::config;
use crate::config::keys::{Entry, InTable, Shown};
use crate::model::Deployment;

pub(super) fn run(args: &Init) -> Result<(), Failure> {
    let outcome = config::read(&config::Input {
        file: None,
        options: args.options.clone(),
    });
    report(&outcome);
    let text = write(&outcome.deployment.ok_or(Failure::Input)?);
    if args.file.as_os_str() == "-" {
        return product(&text);
    }
    let shown = args.file.display();
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&args.file)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::BadInput(format!(
                "{shown} is there, and is not replaced\nhelp: name another file, or remove this one"
            )),
            _ => Failure::System(format!("{shown}: {error}")),
        })?;
    file.write_all(text.as_bytes())
        .map_err(|error| Failure::System(format!("{shown}: {error}")))?;
    story(&format!("wrote {shown}"));
    Ok(())
}

/// The text of a file that means this deployment of one server. What is as by default stands in
/// a comment.
fn write(deployment: &Deployment) -> String {
    let default = config::read(&config::Input::default())
        .deployment
        .expect("the defaults are in order");
    let shown = Shown {
        deployment,
        server: &deployment.servers[0],
        plain: &default.servers[0],
    };
    let mut out = String::from(
        "# OpenClaw in qubes: the configuration of openclaw-formula.\n\
         # A line that begins with `# ` and a key shows the default.\n\
         #\n\
         # Check it:  openclaw-formula check openclaw.toml\n\
         # Build it:  openclaw-formula build openclaw.toml --output out\n\n\
         [package]\n",
    );
    table(&mut out, InTable::Package, &shown);
    out.push_str("\n# One table for each qube that runs OpenClaw.\n[[server]]\n");
    table(&mut out, InTable::Server, &shown);
    out.push_str(
        "# OpenClaw's own settings, such as channels, go into a table below: [server.openclaw]\n",
    );
    out
}

/// The lines of a table's keys.
fn table(out: &mut String, table: InTable, shown: &Shown) {
    for key in table.keys() {
        let Entry {
            name,
            comment,
            line,
            ..
        } = key.entry;
        let Some(line) = line(shown) else {
            continue;
        };
        for comment in comment.lines() {
            let _ = writeln!(out, "# {comment}");
        }
        let hash = if line.is_default { "# " } else { "" };
        let _ = writeln!(out, "{hash}{name} = {}", line.value);
    }
}
