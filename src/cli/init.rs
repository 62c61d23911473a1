// SPDX-License-Identifier: MIT OR Apache-2.0

//! A configuration to begin with: every key, with its meaning and its default.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::args::Init;
use super::input::report;
use super::schema::schema_text;
use super::{Failure, print_output, print_status};
use crate::config;
use crate::config::keys::{Entry, InTable, Shown};
use crate::model::Deployment;
use crate::read::file;

pub(super) fn run(args: &Init) -> Result<(), Failure> {
    let outcome = config::read(&config::Input {
        file: None,
        options: args.options.clone(),
    });
    report(&outcome);
    let deployment = outcome.deployment.ok_or(Failure::Input)?;
    if args.file.as_os_str() == "-" {
        return print_output(&write(&deployment, None));
    }
    let schema = args.file.with_extension("schema.json");
    // A comment of TOML has no room for other names.
    let named = schema
        .file_name()
        .and_then(|name| name.to_str())
        .filter(|name| !name.contains(char::is_control));
    let text = write(&deployment, named);
    create(&args.file, &text).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::BadInput(format!(
            "{} is there, and is not replaced\nhelp: name another file, or remove this one",
            args.file.display()
        )),
        _ => Failure::System(format!("{}: {error}", args.file.display())),
    })?;
    print_status(&format!("wrote {}", args.file.display()));
    if named.is_some() {
        write_schema(&schema)?;
    }
    Ok(())
}

/// Writes the schema beside the configuration. One that is there already stays.
fn write_schema(path: &Path) -> Result<(), Failure> {
    let (shown, text) = (path.display(), schema_text());
    match create(path, &text) {
        Ok(()) => print_status(&format!("wrote {shown}, for editors")),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // What cannot be read is no schema of this version.
            let same = file::read(path, text.len() as u64).is_ok_and(|it| it == text.as_bytes());
            if !same {
                print_status(&format!(
                    "note: {shown} is there, and is not replaced\n\
                     help: for the schema of this version, run \
                     `openclaw-formula schema > {shown}`"
                ));
            }
        }
        Err(error) => return Err(Failure::System(format!("{shown}: {error}"))),
    }
    Ok(())
}

/// Writes a file that must not be there, whole or not at all.
fn create(path: &Path, text: &str) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist_noclobber(path)?;
    Ok(())
}

/// The text of a file that means this deployment of one server. What is as by default stands in
/// a comment. Its first line names the schema to editors.
fn write(deployment: &Deployment, schema: Option<&str>) -> String {
    let default = config::read(&config::Input::default())
        .deployment
        .expect("the defaults are in order");
    let shown = Shown {
        deployment,
        server: &deployment.servers[0],
        plain: &default.servers[0],
    };
    let mut out = schema.map_or_else(String::new, |name| format!("#:schema ./{name}\n\n"));
    out.push_str(
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
