// SPDX-License-Identifier: MIT OR Apache-2.0

//! Rebuilds the program when a file is added to what it embeds: the compiler itself sees only
//! changes to files that were there.

fn main() {
    println!("cargo:rerun-if-changed=salt");
    println!("cargo:rerun-if-changed=templates");
    println!("cargo:rerun-if-changed=rpmspec");
    println!("cargo:rerun-if-changed=src/providers");
}
