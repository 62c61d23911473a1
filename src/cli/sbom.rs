// SPDX-License-Identifier: MIT OR Apache-2.0

//! `sbom`: says what written packages consist of and bring.

use super::args::Sbom;
use super::{Failure, print_output};
use crate::manifest::FILE_NAME;
use crate::read::output;
use crate::sbom;

pub(super) fn run(args: &Sbom) -> Result<(), Failure> {
    let path = args.path.join(FILE_NAME);
    let manifest = output::manifest(&path).map_err(|error| Failure::BadInput(error.to_string()))?;
    let bill = sbom::of(&manifest)
        .map_err(|error| Failure::BadInput(format!("{}: {error}", path.display())))?;
    print_output(&bill)
}
