// SPDX-License-Identifier: MIT OR Apache-2.0

//! What each command does.

use std::fmt::Write;
use std::path::Path;
use std::time::SystemTime;

use super::args::{Cli, Command, Input, Output, Providers, Sbom, Signing, Verify};
use super::{Failure, colour, init, product, story};
use crate::config;
use crate::diagnostic;
use crate::manifest::{FILE_NAME, Manifest, Package};
use crate::model::Deployment;
use crate::openpgp::{self, Certificate, Gpg, Passphrase, SecretKey, Signer};
use crate::plan::{Plan, debian_package_file, package_file};
use crate::provider::PROVIDERS;
use crate::sbom;
use crate::sink::directory::Staging;
use crate::sink::{deb, rpm, specfile};
use crate::tree::Host;
use crate::verify;

/// The time that everything carries when `SOURCE_DATE_EPOCH` is not set: the day of this version,
/// 2026-11-23, in seconds since 1970.
const VERSION_DATE: u32 = 1_795_392_000;

pub(super) fn run(cli: &Cli) -> Result<(), Failure> {
    match &cli.command {
        Command::Init(args) => init::run(args),
        Command::Check(input) => check(input),
        Command::Generate(output) => write(output, true, None),
        Command::Package(args) => write(&args.output, false, Some(&args.signing)),
        Command::Build(args) => write(&args.output, true, Some(&args.signing)),
        Command::Verify(args) => compare(args),
        Command::Sbom(args) => bill_of_materials(args),
        Command::Providers(args) => providers(args),
    }
}

/// Reads and checks the input; findings go to stderr.
fn read(input: &Input) -> Result<Deployment, Failure> {
    let file = match &input.config {
        None => None,
        Some(path) => {
            let shown = path.display().to_string();
            let bytes = std::fs::read(path).map_err(|error| {
                Failure::BadInput(format!(
                    "{shown}: {error}\nhelp: name a configuration that can be read, or let \
                     `openclaw-formula init` write one"
                ))
            })?;
            let text = String::from_utf8(bytes).map_err(|error| {
                let valid = error.utf8_error().valid_up_to();
                let before = &error.as_bytes()[..valid];
                let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
                let column = 1 + valid
                    - before
                        .iter()
                        .rposition(|byte| *byte == b'\n')
                        .map_or(0, |at| at + 1);
                Failure::BadInput(format!(
                    "{shown}:{line}:{column}: the byte {:#04x} is not UTF-8\nrule: a \
                     configuration is a TOML file, which is text in UTF-8\nhelp: save the file \
                     as UTF-8",
                    error.as_bytes()[valid]
                ))
            })?;
            Some((shown, text))
        }
    };
    let outcome = config::read(&config::Input {
        file,
        options: input.options.clone(),
    });
    report(&outcome);
    outcome.deployment.ok_or(Failure::Input)
}

/// Writes findings to stderr.
pub(super) fn report(outcome: &config::Outcome) {
    let text = diagnostic::render(&outcome.sources, &outcome.diagnostics, colour());
    if !text.is_empty() {
        story(text.trim_end());
    }
}

fn check(input: &Input) -> Result<(), Failure> {
    let deployment = read(input)?;
    for server in &deployment.servers {
        let ports: Vec<_> = server
            .reachable_ports()
            .iter()
            .map(ToString::to_string)
            .collect();
        story(&format!(
            "{}: {} from {}, {} mode, {}, {} {}",
            server.name,
            server.class.qubes_name(),
            server.template,
            if server.mode.is_tunnel() {
                "tunnel"
            } else {
                "network"
            },
            server.providers,
            if ports.len() == 1 { "port" } else { "ports" },
            ports.join(" and "),
        ));
    }
    Ok(())
}

fn source_date_epoch() -> Result<u32, Failure> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Err(std::env::VarError::NotPresent) => Ok(VERSION_DATE),
        Ok(text) => text.parse().map_err(|_| bad_epoch(&text)),
        Err(std::env::VarError::NotUnicode(text)) => Err(bad_epoch(&text.to_string_lossy())),
    }
}

fn bad_epoch(text: &str) -> Failure {
    Failure::BadInput(format!(
        "SOURCE_DATE_EPOCH is \"{}\"\nrule: it is a number of seconds since 1970, from 0 to {} \
         (https://reproducible-builds.org/specs/source-date-epoch/)\nhelp: write a number such \
         as {VERSION_DATE}, or unset it",
        text.escape_debug(),
        u32::MAX,
    ))
}

/// A package from the future is refused by dom0, and the `rpm` crate would write the present time
/// into it instead, which is another one each time.
fn not_in_the_future(epoch: u32) -> Result<(), Failure> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    if u64::from(epoch) <= now {
        return Ok(());
    }
    Err(Failure::BadInput(format!(
        "the packages' time, {epoch}, is in the future: the clock says {now}\nrule: packages carry \
         SOURCE_DATE_EPOCH, or the day of this version, {VERSION_DATE}, in seconds since 1970\n\
         help: write an earlier SOURCE_DATE_EPOCH, or set the clock"
    )))
}

/// The bytes of a key file.
fn read_key(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    let shown = path.display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => Ok((shown, bytes)),
        Err(error) => Err(Failure::BadInput(format!(
            "{shown}: {error}\nhelp: name a key file that can be read"
        ))),
    }
}

impl From<openpgp::Error> for Failure {
    fn from(error: openpgp::Error) -> Self {
        match error {
            openpgp::Error::Refused(refused) => Failure::BadInput(refused.to_string()),
            openpgp::Error::System(problem) => Failure::System(problem),
        }
    }
}

/// What to sign with, if anything.
fn signer(signing: &Signing) -> Result<Option<Signer>, Failure> {
    if let Some(path) = &signing.sign {
        let (shown, bytes) = read_key(path)?;
        let passphrase = match signing.passphrase_fd {
            Some(number) => Passphrase::Descriptor(number),
            None => Passphrase::Terminal,
        };
        let key = SecretKey::read(&shown, &bytes, &passphrase)?;
        return Ok(Some(Signer::Key(Box::new(key))));
    }
    let Some(key) = &signing.sign_gpg else {
        return Ok(None);
    };
    let program = signing.gpg_program.as_deref().unwrap_or(Path::new("gpg"));
    Ok(Some(Signer::Gpg(Box::new(Gpg::new(program, key)?))))
}

/// Writes trees, and packages if `packages` says how to sign them.
fn write(output: &Output, with_trees: bool, packages: Option<&Signing>) -> Result<(), Failure> {
    let with_packages = packages.is_some();
    let deployment = read(&output.input)?;
    let epoch = source_date_epoch()?;
    if with_packages {
        not_in_the_future(epoch)?;
    }
    let signer = packages.map(signer).transpose()?.flatten();
    let plan = Plan::new(&deployment);
    let refused = |error: crate::sink::directory::Error| match error {
        crate::sink::directory::Error::NotOurs { .. } => Failure::BadInput(error.to_string()),
        error => Failure::System(error.to_string()),
    };
    let staging = Staging::new(&output.output, epoch).map_err(refused)?;

    let (mut specs, mut packages) = (Vec::new(), Vec::new());
    for host in Host::ALL {
        if with_trees {
            staging
                .tree(host.name(), plan.tree(host))
                .map_err(refused)?;
            let text = specfile::text(host, &plan, &deployment.package);
            let path = specfile::path(host);
            staging
                .file(&path, text.as_bytes(), 0o644)
                .map_err(refused)?;
            specs.push(Package::new(path, text.as_bytes()));
        }
        if with_packages {
            let bytes = rpm::build(host, &plan, &deployment.package, epoch, signer.as_ref())
                .map_err(|error| match error {
                    rpm::Error::Signing(error) => error.into(),
                    error => Failure::System(format!("the {} package: {error}", host.name())),
                })?;
            let file = package_file(host, &deployment.package);
            staging.file(&file, &bytes, 0o644).map_err(refused)?;
            packages.push(Package::new(file, &bytes));
        }
    }
    if with_packages && !plan.depends().is_empty() {
        let bytes = deb::build(&plan, &deployment.package, epoch)
            .map_err(|error| Failure::System(format!("the Debian package: {error}")))?;
        let file = debian_package_file(&deployment.package);
        staging.file(&file, &bytes, 0o644).map_err(refused)?;
        packages.push(Package::new(file, &bytes));
    }
    let paths: Vec<_> = packages
        .iter()
        .map(|package| output.output.join(&package.file))
        .collect();
    let manifest = Manifest::new(&deployment, epoch, &plan, specs, packages);
    staging
        .file(FILE_NAME, manifest.to_text().as_bytes(), 0o644)
        .map_err(refused)?;
    staging.publish().map_err(refused)?;

    if let Some(signer) = &signer {
        story(&format!("signed with {}", signer.certificate()));
    } else if with_packages {
        story(
            "warning: the packages are not signed: dom0's updater refuses them; install them by \
             hand, on a machine for development",
        );
    }
    let shown = |path: &Path| path.display().to_string();
    if with_packages {
        let lines = paths.iter().fold(String::new(), |mut lines, path| {
            let _ = writeln!(lines, "{}", shown(path));
            lines
        });
        product(&lines)
    } else {
        story(&format!("wrote {}", shown(&output.output)));
        Ok(())
    }
}

fn compare(args: &Verify) -> Result<(), Failure> {
    let manifest = args.manifest.as_deref();
    let refused = |error: verify::Error| Failure::BadInput(error.to_string());
    let is_directory = args.path.is_dir();
    let mut findings = Vec::new();
    let mut praise = Vec::new();
    if is_directory {
        findings.extend(verify::directory(&args.path, manifest).map_err(refused)?);
        praise.push("as its manifest says".to_owned());
    } else if args.key.is_none() || manifest.is_some() {
        findings.extend(verify::package(&args.path, manifest).map_err(refused)?);
        praise.push("as its manifest says".to_owned());
    }
    if let Some(path) = &args.key {
        let (shown, bytes) = read_key(path)?;
        let key = Certificate::read(&shown, &bytes)
            .map_err(|refused| Failure::BadInput(refused.to_string()))?;
        let packages = if is_directory {
            verify::packages(&args.path, manifest).map_err(refused)?
        } else {
            vec![args.path.clone()]
        };
        for package in packages {
            findings.extend(verify::signature(&package, &key).map_err(refused)?);
        }
        praise.push(format!("signed by {key}"));
    }
    if findings.is_empty() {
        story(&format!("{}: {}", args.path.display(), praise.join(", ")));
        return Ok(());
    }
    product(&(findings.join("\n") + "\n"))?;
    Err(Failure::Differs)
}

fn bill_of_materials(args: &Sbom) -> Result<(), Failure> {
    let path = args.path.join(FILE_NAME);
    let manifest = verify::manifest(&path).map_err(|error| Failure::BadInput(error.to_string()))?;
    let bill = sbom::of(&manifest)
        .map_err(|error| Failure::BadInput(format!("{}: {error}", path.display())))?;
    product(&bill)
}

fn providers(args: &Providers) -> Result<(), Failure> {
    if args.json {
        let list: Vec<_> = PROVIDERS
            .iter()
            .map(|provider| {
                serde_json::json!({
                    "name": provider.name,
                    "title": provider.title,
                    "requires": provider.requires,
                    "key": provider.key.as_ref().map(|key| key.variable),
                    "default_model": format!("{}/{}", provider.name, provider.default_model),
                    "memory_mib": { "initial": provider.memory.initial(), "max": provider.memory.max() },
                })
            })
            .collect();
        let text = serde_json::to_string_pretty(&list).expect("a JSON value can be written");
        return product(&(text + "\n"));
    }
    let mut text = String::new();
    for provider in PROVIDERS {
        let model = format!("{}/{}", provider.name, provider.default_model);
        let _ = writeln!(
            text,
            "{:<10} {model:<28} {}",
            provider.name, provider.requires
        );
    }
    product(&text)
}
