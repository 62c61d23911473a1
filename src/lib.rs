// SPDX-License-Identifier: MIT OR Apache-2.0

//! Turns a small configuration into a Qubes Salt formula that runs OpenClaw in a qube, and
//! packages it as two RPMs, one for dom0 and one for the qube's template.
//!
//! Data flows one way: [`config`] reads what a person wrote into a [`model::Deployment`];
//! [`plan`] says which files it means, as a [`tree::FileTree`] a host; [`sink`] writes trees as
//! directories or packages, and [`manifest`] records what was written, for [`verify`].

#![warn(missing_docs)]

pub mod cli;
pub mod config;
pub mod diagnostic;
pub mod manifest;
pub mod mask;
pub mod model;
pub mod openclaw;
pub mod openpgp;
pub mod plan;
pub mod provider;
pub mod read;
pub mod refusal;
pub mod render;
pub mod sbom;
pub mod services;
pub mod sink;
pub mod states;
pub mod tree;
pub mod verify;
