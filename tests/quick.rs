// SPDX-License-Identifier: MIT OR Apache-2.0

//! The tests that need nothing but Cargo, in one program, which takes less to build than one for each
//! suite. In some suites a test needs `tests/setup` all the same, and says so.

mod support;

mod bad_input;
mod configuration;
mod forward;
mod hostile;
mod lint;
mod packages;
mod policy;
mod properties;
mod release;
mod sbom;
mod settings;
mod verify;
mod writing;
