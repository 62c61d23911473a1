// SPDX-License-Identifier: MIT OR Apache-2.0

//! The commands. stdout carries the product, stderr the story.
//!
//! Exit status: 0 done, 1 a comparison found differences, 2 bad input, 3 the system refused
//! something.

mod args;
mod commands;
mod init;

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::mask;

pub use args::Cli;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The input is at fault; the findings are on stderr already.
    Input,
    /// The input is at fault in a way that no place in it shows.
    BadInput(String),
    /// A comparison found differences, which are on stdout already.
    Differs,
    /// The system refused something.
    System(String),
}

/// Runs the program with the process's own arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    let (message, status) = match commands::run(&cli) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Input) => (None, 2),
        Err(Failure::BadInput(message)) => (Some(message), 2),
        Err(Failure::Differs) => (None, 1),
        Err(Failure::System(message)) => (Some(message), 3),
    };
    if let Some(message) = message {
        story(&format!("error: {message}"));
    }
    ExitCode::from(status)
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

/// Writes a line of the story. A closed stderr is no reason to fail.
pub(crate) fn story(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes a part of the product. A reader that has seen enough, as `head` has, is no reason to fail.
pub(crate) fn product(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::System(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Whether the story may have colours.
pub(crate) fn colour() -> bool {
    io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
