// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command line program; the library does the work.

use std::process::ExitCode;

fn main() -> ExitCode {
    openclaw_formula::cli::main()
}
