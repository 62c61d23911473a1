// SPDX-License-Identifier: MIT OR Apache-2.0

//! What each command does.

use std::fmt::Write;
use std::num::ParseIntError;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::args::{self, Cli, Command, Input, Providers, Sbom, Signing, Verify};
use super::{Failure, colour, init, product, story};
use crate::config;
use crate::diagnostic;
use crate::manifest::{FILE_NAME, Manifest, Package, octal};
use crate::model::{Deployment, Release, Server};
use crate::openpgp::{self, Certificate, Gpg, Passphrase, SecretKey, Signer};
use crate::plan::reach::Reach;
use crate::plan::{Plan, debian_package_file, package_file, package_name};
use crate::provider;
use crate::read::{file, output, printable};
use crate::refusal::Refusal;
use crate::sbom;
use crate::sink::directory::{self, Directory, Staging};
use crate::sink::former::{Former, New};
use crate::sink::place::{Held, Place};
use crate::sink::repository::{self, Repository};
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
        Command::Plan(args) => plan(args),
        Command::Generate(args) => generate(args),
        Command::Package(args) => package(args),
        Command::Build(args) => build(args),
        Command::Verify(args) => compare(args),
        Command::Sbom(args) => bill_of_materials(args),
        Command::Schema => schema(),
        Command::Providers(args) => providers(args),
    }
}

/// Reads and checks the input; findings go to stderr.
fn read(input: &Input) -> Result<Deployment, Failure> {
    let file = match &input.config {
        None => None,
        Some(path) => {
            let shown = path.display().to_string();
            let bytes = file::read(path, file::MOST_CONFIGURATION).map_err(|error| {
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
                let byte = error.as_bytes()[valid];
                Refusal::new(
                    format!("{shown}:{line}:{column}: the byte {byte:#04x} is not UTF-8"),
                    "a configuration is a TOML file, which is text in UTF-8",
                    "save the file as UTF-8",
                )
                .because(error.utf8_error())
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
        story(&summary(server));
    }
    Ok(())
}

/// A server in one line.
fn summary(server: &Server) -> String {
    let ports: Vec<_> = server
        .service_ports()
        .iter()
        .map(ToString::to_string)
        .collect();
    format!(
        "{}: {} from {}, {} mode, {}, {} {}",
        server.name,
        server.class.qubes_name(),
        server.template,
        server.mode.name().word(),
        server.providers,
        if ports.len() == 1 { "port" } else { "ports" },
        ports.join(" and "),
    )
}

fn plan(args: &args::Plan) -> Result<(), Failure> {
    let deployment = read(&args.input)?;
    let reach = Reach::new(&deployment);
    if args.json {
        let reach = serde_json::to_value(&reach).expect("a JSON value can be written");
        let value = if args.who_can_reach {
            reach
        } else {
            let (epoch, plan) = (source_date_epoch()?, Plan::new(&deployment));
            let manifest = Manifest::new(&deployment, epoch, &plan, Vec::new(), Vec::new());
            serde_json::json!({
                "input": manifest.input,
                "dom0": manifest.dom0,
                "template": manifest.template,
                "who_can_reach": reach,
            })
        };
        let text = serde_json::to_string_pretty(&value).expect("a JSON value can be written");
        return product(&(text + "\n"));
    }
    if args.who_can_reach {
        return product(&reach.to_text());
    }
    let mut text = String::from("The qubes\n");
    for server in &deployment.servers {
        let _ = writeln!(text, "{}", summary(server));
    }
    for (client, servers) in deployment.clients() {
        let names: Vec<_> = servers.iter().map(|server| server.name.as_str()).collect();
        let _ = writeln!(text, "{client}: a client of {}", names.join(" and "));
    }
    let plan = Plan::new(&deployment);
    for host in Host::ALL {
        let _ = writeln!(text, "\nThe files of {}", package_name(host));
        for (path, entry) in plan.tree(host).iter() {
            let mode = octal(u32::from(entry.mode));
            let _ = writeln!(text, "{mode} {} {} {path}", entry.user, entry.group);
        }
    }
    let _ = write!(text, "\nWho can reach what\n{}", reach.to_text());
    product(&text)
}

fn source_date_epoch() -> Result<u32, Failure> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Err(std::env::VarError::NotPresent) => Ok(VERSION_DATE),
        Ok(text) => text
            .parse()
            .map_err(|error: ParseIntError| bad_epoch(&text).because(error).into()),
        Err(std::env::VarError::NotUnicode(text)) => Err(bad_epoch(&text.to_string_lossy()).into()),
    }
}

fn bad_epoch(text: &str) -> Refusal {
    Refusal::new(
        format!("SOURCE_DATE_EPOCH is \"{}\"", text.escape_debug()),
        format!(
            "it is a number of seconds since 1970, from 0 to {} \
             (https://reproducible-builds.org/specs/source-date-epoch/)",
            u32::MAX
        ),
        format!("write a number such as {VERSION_DATE}, or unset it"),
    )
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
    Err(Refusal::new(
        format!("the packages' time, {epoch}, is in the future: the clock says {now}"),
        format!(
            "packages carry SOURCE_DATE_EPOCH, or the day of this version, {VERSION_DATE}, in \
             seconds since 1970"
        ),
        "write an earlier SOURCE_DATE_EPOCH, or set the clock",
    )
    .into())
}

/// The bytes of a key file.
fn read_key(path: &Path) -> Result<(String, Vec<u8>), Failure> {
    let shown = path.display().to_string();
    match file::read(path, file::MOST_KEY) {
        Ok(bytes) => Ok((shown, bytes)),
        Err(error) => Err(Failure::BadInput(format!(
            "{shown}: {error}\nhelp: name a key file that can be read"
        ))),
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::BadInput(refusal.to_string())
    }
}

impl From<openpgp::Error> for Failure {
    fn from(error: openpgp::Error) -> Self {
        match error {
            openpgp::Error::Refused(refusal) => refusal.into(),
            openpgp::Error::System(problem) => Failure::System(problem),
        }
    }
}

/// What to sign packages of this time with, if anything.
fn signer(signing: &Signing, epoch: u32) -> Result<Option<Signer>, Failure> {
    not_in_the_future(epoch)?;
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

impl From<directory::Error> for Failure {
    fn from(error: directory::Error) -> Self {
        match error {
            directory::Error::NotOurs { .. } | directory::Error::Refused(_) => {
                Failure::BadInput(error.to_string())
            }
            directory::Error::Io { .. } => Failure::System(error.to_string()),
        }
    }
}

impl From<repository::Error> for Failure {
    fn from(error: repository::Error) -> Self {
        match error {
            repository::Error::Refused(refusal) => refusal.into(),
            repository::Error::Signing(error) => error.into(),
            repository::Error::Directory(error) => error.into(),
            repository::Error::Createrepo(problem) => Failure::System(problem),
        }
    }
}

/// What is to be written, of one configuration at one time.
struct Job {
    deployment: Deployment,
    plan: Plan,
    epoch: u32,
}

/// What was packed: RPMs, and Debian's.
#[derive(Default)]
struct Packed {
    rpms: Vec<(String, Vec<u8>)>,
    debs: Vec<(String, Vec<u8>)>,
}

impl Packed {
    fn all(&self) -> impl Iterator<Item = &(String, Vec<u8>)> {
        self.rpms.iter().chain(&self.debs)
    }
}

/// Says on stderr who vouches for the packages.
fn tell(signer: Option<&Signer>) {
    match signer {
        Some(signer) => story(&format!("signed with {}", signer.certificate())),
        None => story(
            "warning: the packages are not signed: dom0's updater refuses them; install them \
             by hand, on a machine for development",
        ),
    }
}

impl Job {
    fn new(input: &Input) -> Result<Self, Failure> {
        let deployment = read(input)?;
        Ok(Job {
            plan: Plan::new(&deployment),
            epoch: source_date_epoch()?,
            deployment,
        })
    }

    /// The same under another release.
    fn with_release(mut self, release: Release) -> Self {
        self.deployment.package.release = release;
        Job {
            plan: Plan::new(&self.deployment),
            ..self
        }
    }

    fn pack(&self, signer: Option<&Signer>) -> Result<Packed, Failure> {
        let version = &self.deployment.package;
        let mut packed = Packed::default();
        for host in Host::ALL {
            let bytes =
                rpm::build(host, &self.plan, version, self.epoch, signer).map_err(|error| {
                    match error {
                        rpm::Error::Signing(error) => error.into(),
                        error => Failure::System(format!("the {} package: {error}", host.name())),
                    }
                })?;
            packed.rpms.push((package_file(host, version), bytes));
        }
        if !self.plan.depends().is_empty() {
            let bytes = deb::build(&self.plan, version, self.epoch)
                .map_err(|error| Failure::System(format!("the Debian package: {error}")))?;
            packed.debs.push((debian_package_file(version), bytes));
        }
        Ok(packed)
    }

    /// The spec files, each with its path, if there are trees.
    fn specs(&self, with_trees: bool) -> Vec<(String, String)> {
        let hosts = Host::ALL.into_iter().filter(|_| with_trees);
        let text = |host| specfile::text(host, &self.plan, &self.deployment.package);
        hosts
            .map(|host| (specfile::path(host), text(host)))
            .collect()
    }

    fn manifest(&self, specs: &[(String, String)], packed: &Packed) -> Manifest {
        let specs = specs.iter();
        let specs = specs.map(|(path, text)| Package::new(path.clone(), text.as_bytes()));
        // In the order in which they are packed.
        let version = &self.deployment.package;
        let headers = Host::ALL
            .map(|host| rpm::header(host, &self.plan, version))
            .into_iter()
            .chain([deb::header(&self.plan, version)]);
        let packages = packed.all().zip(headers);
        let packages = packages
            .map(|((file, bytes), header)| Package::with_header(file.clone(), bytes, header));
        Manifest::new(
            &self.deployment,
            self.epoch,
            &self.plan,
            specs.collect(),
            packages.collect(),
        )
    }

    /// A directory with its manifest: trees, packages, or both.
    fn stage(
        &self,
        directory: Directory,
        with_trees: bool,
        packed: &Packed,
    ) -> Result<Staging, Failure> {
        let staging = directory.stage(self.epoch)?;
        if with_trees {
            for host in Host::ALL {
                staging.tree(host.name(), self.plan.tree(host))?;
            }
        }
        let specs = self.specs(with_trees);
        for (path, text) in &specs {
            staging.file(path, text.as_bytes(), 0o644)?;
        }
        for (file, bytes) in packed.all() {
            staging.file(file, bytes, 0o644)?;
        }
        let manifest = self.manifest(&specs, packed).to_text();
        staging.file(FILE_NAME, manifest.as_bytes(), 0o644)?;
        Ok(staging)
    }

    /// Packs this job, under a release that no former one has with other contents.
    fn pack_anew(
        self,
        former: &[&dyn Former],
        bump: bool,
        pack: impl Fn(&Job) -> Result<Packed, Failure>,
    ) -> Result<(Self, Packed), Failure> {
        let asked = self.deployment.package.release;
        let version = &self.deployment.package.version;
        let latest = former.iter().filter_map(|it| it.latest(version)).max();
        let latest = latest.map_or(asked, |latest| latest.max(asked));
        let job = if bump {
            self.with_release(latest)
        } else {
            self
        };
        let packed = pack(&job)?;
        let manifest = job.manifest(&[], &packed);
        let new = New {
            version: &job.deployment.package,
            manifest: &manifest,
            rpms: &packed.rpms,
        };
        let Some(path) = former.iter().find_map(|it| it.clash(new)) else {
            let release = job.deployment.package.release;
            if release < latest {
                story(&format!(
                    "warning: this is release {}, and release {} is there already: a machine that \
                     has that one takes this for an older one",
                    release.number(),
                    latest.number()
                ));
            }
            return Ok((job, packed));
        };
        let next = latest.next();
        let next = next.map_err(|what| Failure::BadInput(what.problem))?;
        if !bump {
            return Err(published_once(&path, next).into());
        }
        story(&format!(
            "release {}: its contents differ from those of {}",
            next.number(),
            path.display()
        ));
        let job = job.with_release(next);
        let packed = pack(&job)?;
        Ok((job, packed))
    }
}

fn published_once(path: &Path, next: Release) -> Refusal {
    Refusal::new(
        format!(
            "{}: there is another package of that version and release",
            path.display()
        ),
        "a version and release is published once: who has it would never be offered the other",
        format!(
            "write `release = {next}` under [package], or give --release {next}; --bump takes the \
             next release by itself",
            next = next.number()
        ),
    )
}

/// The paths of packages in a directory, one a line.
fn paths<'a>(
    directory: &Path,
    packages: impl IntoIterator<Item = &'a (String, Vec<u8>)>,
) -> String {
    packages
        .into_iter()
        .fold(String::new(), |mut lines, (file, _)| {
            let _ = writeln!(lines, "{}", directory.join(file).display());
            lines
        })
}

fn generate(args: &args::Output) -> Result<(), Failure> {
    let job = Job::new(&args.input)?;
    let directory = Directory::open(hold(Place::of(&args.output)?)?)?;
    let nothing = |_: &Job| Ok(Packed::default());
    let (job, nothing) = job.pack_anew(&[&directory], args.former.bump, nothing)?;
    job.stage(directory, true, &nothing)?.publish()?;
    story(&format!("wrote {}", args.output.display()));
    Ok(())
}

fn build(args: &args::Build) -> Result<(), Failure> {
    let job = Job::new(&args.output.input)?;
    let place = Place::of(&args.output.output)?;
    let signer = signer(&args.signing, job.epoch)?;
    let signer = signer.as_ref();
    let directory = Directory::open(hold(place)?)?;
    let bump = args.output.former.bump;
    let (job, packed) = job.pack_anew(&[&directory], bump, |job| job.pack(signer))?;
    job.stage(directory, true, &packed)?.publish()?;
    tell(signer);
    product(&paths(&args.output.output, packed.all()))
}

fn package(args: &args::Package) -> Result<(), Failure> {
    let url = args.repo_url.as_deref().map(repository::Url::new);
    let url = url.transpose()?;
    let job = Job::new(&args.input)?;
    let place = |path: &Option<PathBuf>| path.as_deref().map(Place::of).transpose();
    let (output, repo) = (place(&args.output)?, place(&args.repo)?);
    if let (Some(output), Some(repo)) = (&output, &repo)
        && output.overlaps(repo)
    {
        return Err(overlap(output, repo).into());
    }
    let signer = signer(&args.signing, job.epoch)?;
    let signer = signer.as_ref();
    // Two runs that name the same two folders wait for the first, and not for each other.
    let hold = |place: Option<Place>| place.map(hold).transpose();
    let (output, repo) = match (output, repo) {
        (Some(output), Some(repo)) if repo.comes_before(&output) => {
            let repo = hold(Some(repo))?;
            (hold(Some(output))?, repo)
        }
        (output, repo) => (hold(output)?, hold(repo)?),
    };
    let directory = output.map(Directory::open).transpose()?;
    // The command line asks for a key where it takes --repo.
    let repository = match (repo, signer) {
        (Some(held), Some(signer)) => Some(Repository::open(held, signer)?),
        _ => None,
    };
    let directories = directory.iter().map(|it| it as &dyn Former);
    let repositories = repository.iter().map(|it| it as &dyn Former);
    let former: Vec<_> = directories.chain(repositories).collect();
    let (job, packed) = job.pack_anew(&former, args.former.bump, |job| job.pack(signer))?;
    let mut lines = String::new();
    let mut stagings = Vec::new();
    if let (Some(path), Some(directory)) = (&args.output, directory) {
        stagings.push(job.stage(directory, false, &packed)?);
        lines += &paths(path, packed.all());
    }
    if let (Some(path), Some(repository)) = (&args.repo, repository) {
        stagings.push(repository.stage(&packed.rpms, url, job.epoch)?);
        lines += &paths(path, &packed.rpms);
        if args.output.is_none() {
            for (file, _) in &packed.debs {
                story(&format!("{file} is not for dnf: --output writes it"));
            }
        }
    }
    // Only now that nothing was refused.
    for staging in stagings {
        staging.publish()?;
    }
    tell(signer);
    product(&lines)
}

/// Takes a place for this run.
fn hold(place: Place) -> Result<Held, Failure> {
    let waiting = |path: &Path| {
        story(&format!(
            "waiting for another openclaw-formula that writes to {}",
            path.display()
        ));
    };
    Ok(place.hold(waiting)?)
}

fn overlap(output: &Place, repo: &Place) -> Refusal {
    Refusal::new(
        format!(
            "--output {} and --repo {} are one folder, or one is in the other",
            output.shown().display(),
            repo.shown().display()
        ),
        "a repository has nothing in it but packages and what dnf needs, and each folder is \
         replaced as a whole",
        "name another folder for one of them, or leave out --output",
    )
}

fn compare(args: &Verify) -> Result<(), Failure> {
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
        None => story(
            "note: without --key, nothing here says who wrote it: a manifest is as easily \
             written as what it lists",
        ),
    }
    for note in reports.iter().flat_map(|report| &report.notes) {
        story(note);
    }
    let findings: Vec<_> = reports
        .into_iter()
        .flat_map(|report| report.findings)
        .collect();
    if findings.is_empty() {
        let shown = printable(&args.path.to_string_lossy());
        story(&format!("{shown}: {}", praise.join(", ")));
        return Ok(());
    }
    product(&(findings.join("\n") + "\n"))?;
    Err(Failure::Differs)
}

fn bill_of_materials(args: &Sbom) -> Result<(), Failure> {
    let path = args.path.join(FILE_NAME);
    let manifest = output::manifest(&path).map_err(|error| Failure::BadInput(error.to_string()))?;
    let bill = sbom::of(&manifest)
        .map_err(|error| Failure::BadInput(format!("{}: {error}", path.display())))?;
    product(&bill)
}

fn schema() -> Result<(), Failure> {
    product(&schema_text())
}

/// The JSON Schema of configurations, as the text of a file.
pub(super) fn schema_text() -> String {
    let text = serde_json::to_string_pretty(&config::schema());
    text.expect("a JSON value can be written") + "\n"
}

fn providers(args: &Providers) -> Result<(), Failure> {
    if args.json {
        let list: Vec<_> = provider::all()
            .map(|(provider, setup)| {
                serde_json::json!({
                    "name": provider.name,
                    "title": provider.title,
                    "requires": provider.requires,
                    "key": setup.key.as_ref().map(|key| &key.variable),
                    "default_model": format!("{}/{}", provider.name, provider.models.default),
                    "models": provider.models.names,
                    "memory_mib": { "initial": provider.memory.initial(), "max": provider.memory.max() },
                })
            })
            .collect();
        let text = serde_json::to_string_pretty(&list).expect("a JSON value can be written");
        return product(&(text + "\n"));
    }
    let mut text = String::new();
    for (provider, _) in provider::all() {
        let model = format!("{}/{}", provider.name, provider.models.default);
        let _ = writeln!(
            text,
            "{:<10} {model:<28} {}",
            provider.name, provider.requires
        );
    }
    product(&text)
}
