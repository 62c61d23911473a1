// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the command line takes.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::options::Options;

/// Generates a Qubes OS Salt formula, and its RPM packages, that run OpenClaw in a qube
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Write a commented configuration
    Init(Init),
    /// Check a configuration, and write nothing
    Check(Input),
    /// Show what a configuration would make, and who could reach what
    Plan(Plan),
    /// Write the files of both packages into a directory, to be read
    Generate(Output),
    /// Write both RPM packages into a directory, or into a dnf repository
    Package(Package),
    /// Write the files and the packages into a directory, and the packages' paths to stdout
    Build(Build),
    /// Compare a generated directory or package with its manifest, or check signatures
    Verify(Verify),
    /// Say what written packages consist of and bring, as a CycloneDX bill of materials
    Sbom(Sbom),
    /// Print the JSON Schema of configurations, by which editors complete and check them
    Schema,
    /// List the model providers
    Providers(Providers),
}

/// A configuration.
#[derive(Args, Debug)]
pub struct Input {
    /// The configuration; without it, the options and defaults describe one server
    #[arg(value_name = "CONFIG")]
    pub config: Option<PathBuf>,
    /// One server.
    #[command(flatten)]
    pub options: Options,
}

/// A configuration, and where to write.
#[derive(Args, Debug)]
pub struct Output {
    /// The directory to write; one that was written before, and is unchanged, is replaced
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// What to do about an earlier release.
    #[command(flatten)]
    pub former: Former,
    /// The configuration.
    #[command(flatten)]
    pub input: Input,
}

/// What to do about packages that are there already.
#[derive(Args, Debug)]
pub struct Former {
    /// Go on from the release of the packages that are there: the same if the contents are, or else
    /// the next one
    #[arg(long)]
    pub bump: bool,
}

/// A configuration, where to write packages, and what to sign with.
#[derive(Args, Debug)]
pub struct Package {
    /// The directory to write; one that was written before, and is unchanged, is replaced
    #[arg(short, long, value_name = "DIR", required_unless_present = "repo")]
    pub output: Option<PathBuf>,
    /// Add the packages to the dnf repository in this directory, or begin it; needs a key
    #[arg(long, value_name = "DIR", requires = "signer")]
    pub repo: Option<PathBuf>,
    /// Where dom0 and templates find the repository [default: as before, or its path here]
    #[arg(long, value_name = "URL", requires = "repo")]
    pub repo_url: Option<String>,
    /// What to do about an earlier release.
    #[command(flatten)]
    pub former: Former,
    /// The configuration.
    #[command(flatten)]
    pub input: Input,
    /// What to sign with.
    #[command(flatten)]
    pub signing: Signing,
}

/// A configuration, where to write everything, and what to sign with.
#[derive(Args, Debug)]
pub struct Build {
    /// Where to write what.
    #[command(flatten)]
    pub output: Output,
    /// What to sign with.
    #[command(flatten)]
    pub signing: Signing,
}

/// What to sign with.
#[derive(Args, Debug)]
#[command(next_help_heading = "Signing")]
pub struct Signing {
    /// Sign the packages with this OpenPGP secret key
    #[arg(long, value_name = "FILE", group = "signer")]
    pub sign: Option<PathBuf>,
    /// Read the key's passphrase from this file descriptor [default: ask on the terminal]
    #[arg(long, value_name = "N", requires = "sign")]
    pub passphrase_fd: Option<u32>,
    /// Sign the packages with this key of gpg's: in gpg-agent, another qube, or on a card
    #[arg(long, value_name = "KEYID", group = "signer")]
    pub sign_gpg: Option<String>,
    /// The program to sign with, such as qubes-gpg-client-wrapper [default: gpg]
    #[arg(long, value_name = "PROGRAM", requires = "sign_gpg")]
    pub gpg_program: Option<PathBuf>,
}

/// A configuration, and what to show of it.
#[derive(Args, Debug)]
pub struct Plan {
    /// Show only who could reach what
    #[arg(long)]
    pub who_can_reach: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// The configuration.
    #[command(flatten)]
    pub input: Input,
}

/// A file to begin with.
#[derive(Args, Debug)]
pub struct Init {
    /// The file to write, which must not be there; `-` for stdout
    #[arg(value_name = "FILE", default_value = "openclaw.toml")]
    pub file: PathBuf,
    /// What the file says of its server.
    #[command(flatten)]
    pub options: Options,
}

/// What to compare.
#[derive(Args, Debug)]
pub struct Verify {
    /// A directory or a package that this program wrote
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// The manifest [default: the MANIFEST.json in the directory, or beside the package]
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Check digests and signatures with this OpenPGP public key; a package is then compared with
    /// a manifest only if --manifest names one
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// What to say the parts of.
#[derive(Args, Debug)]
pub struct Sbom {
    /// A directory that `build` or `package` wrote
    #[arg(value_name = "DIR")]
    pub path: PathBuf,
}

/// How to list providers.
#[derive(Args, Debug)]
pub struct Providers {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}
