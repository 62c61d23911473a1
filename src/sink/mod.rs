// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where generated files go: a directory, or a package. There is no other way out.

pub mod deb;
pub mod directory;
pub mod former;
pub mod place;
pub mod repository;
pub mod rpm;
pub(crate) mod spec;
pub mod specfile;
mod workshop;
