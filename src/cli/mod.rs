// SPDX-License-Identifier: MIT OR Apache-2.0

//! The commands. stdout carries the output of a command, stderr its messages.
//!
//! Exit status: 0 done, 1 a comparison found differences, 2 bad input, 3 the system refused
//! something.

mod args;
mod build;
mod check;
mod epoch;
mod failure;
mod init;
mod input;
mod plan;
mod providers;
mod sbom;
mod schema;
mod signing;
mod verify;

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::mask;

pub use args::Cli;
use args::Command;
pub(crate) use failure::Failure;

/// Runs the program with the process's own arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    let (message, status) = match run(&cli) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Input) => (None, 2),
        Err(Failure::BadInput(message)) => (Some(message), 2),
        Err(Failure::Differs) => (None, 1),
        Err(Failure::System(message)) => (Some(message), 3),
    };
    if let Some(message) = message {
        print_status(&format!("error: {message}"));
    }
    ExitCode::from(status)
}

fn run(cli: &Cli) -> Result<(), Failure> {
    match &cli.command {
        Command::Init(args) => init::run(args),
        Command::Check(input) => check::run(input),
        Command::Plan(args) => plan::run(args),
        Command::Generate(args) => build::generate(args),
        Command::Package(args) => build::package(args),
        Command::Build(args) => build::build(args),
        Command::Verify(args) => verify::run(args),
        Command::Sbom(args) => sbom::run(args),
        Command::Schema => schema::run(),
        Command::Providers(args) => providers::run(args),
    }
}

/// Shows help where it was asked for, or else what is wrong with the command line, without the
/// secrets in it.
fn refused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let message = error.render().to_string();
    let _ = write!(
        io::stderr(),
        "{}",
        mask::redact_arguments(&message, arguments)
    );
    ExitCode::from(2)
}

/// Writes a message. A closed stderr is no reason to fail.
pub(crate) fn print_status(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes a part of the output. A reader that has seen enough, as `head` has, is no reason to fail.
pub(crate) fn print_output(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::System(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Whether messages may have colours.
pub(crate) fn colour() -> bool {
    io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
