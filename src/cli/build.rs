// SPDX-License-Identifier: MIT OR Apache-2.0

//! `generate`, `build` and `package`: write files, packages and repositories.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::args::{Build, Input, Output, Package as PackageArgs};
use super::epoch::source_date_epoch;
use super::signing::signer;
use super::{Failure, input, print_output, print_status};
use crate::manifest::{FILE_NAME, Manifest, Package};
use crate::model::{Deployment, Release};
use crate::openpgp::Signer;
use crate::plan::{Plan, debian_package_file, package_file};
use crate::refusal::Refusal;
use crate::sink::directory::{Directory, Staging};
use crate::sink::former::{Former, New};
use crate::sink::place::{Held, Place};
use crate::sink::repository::{self, Repository};
use crate::sink::{deb, rpm, specfile};
use crate::tree::Host;

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
        Some(signer) => print_status(&format!("signed with {}", signer.certificate())),
        None => print_status(
            "warning: the packages are not signed: dom0's updater refuses them; install them \
             by hand, on a machine for development",
        ),
    }
}

impl Job {
    fn new(input: &Input) -> Result<Self, Failure> {
        let deployment = input::read(input)?;
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
                print_status(&format!(
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
        print_status(&format!(
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

pub(super) fn generate(args: &Output) -> Result<(), Failure> {
    let job = Job::new(&args.input)?;
    let directory = Directory::open(hold(Place::of(&args.output)?)?)?;
    let nothing = |_: &Job| Ok(Packed::default());
    let (job, nothing) = job.pack_anew(&[&directory], args.former.bump, nothing)?;
    job.stage(directory, true, &nothing)?.publish()?;
    print_status(&format!("wrote {}", args.output.display()));
    Ok(())
}

pub(super) fn build(args: &Build) -> Result<(), Failure> {
    let job = Job::new(&args.output.input)?;
    let place = Place::of(&args.output.output)?;
    let signer = signer(&args.signing, job.epoch)?;
    let signer = signer.as_ref();
    let directory = Directory::open(hold(place)?)?;
    let bump = args.output.former.bump;
    let (job, packed) = job.pack_anew(&[&directory], bump, |job| job.pack(signer))?;
    job.stage(directory, true, &packed)?.publish()?;
    tell(signer);
    print_output(&paths(&args.output.output, packed.all()))
}

pub(super) fn package(args: &PackageArgs) -> Result<(), Failure> {
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
                print_status(&format!("{file} is not for dnf: --output writes it"));
            }
        }
    }
    // Only now that nothing was refused.
    for staging in stagings {
        staging.publish()?;
    }
    tell(signer);
    print_output(&lines)
}

/// Takes a place for this run.
fn hold(place: Place) -> Result<Held, Failure> {
    let waiting = |path: &Path| {
        print_status(&format!(
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
