// SPDX-License-Identifier: MIT OR Apache-2.0

//! The tests that `tests/setup` is for: real programs, and machines made of containers.

mod support;

mod cost;
mod debian;
mod formula;
mod keys;
mod life;
mod packets;
mod repository;
mod rollout;
mod rpmspec;
mod signing;
mod standin;
mod tools;
mod turns;
