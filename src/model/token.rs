// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::Invalid;

/// A gateway token that the user chose to fix: 8 to 128 letters, digits, `_` and `-`, so that it
/// needs no escape in an environment file or in a URL's fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct FixedToken(String);

impl FixedToken {
    /// The token itself, for the one file that carries it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FixedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FixedToken(..)")
    }
}

/// A record of the input says that there is a token, not which.
impl Serialize for FixedToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(fixed)")
    }
}

impl FromStr for FixedToken {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if (8..=128).contains(&text.len()) && text.chars().all(allowed) {
            return Ok(FixedToken(text.to_owned()));
        }
        Err(Invalid::new(
            "this is not a gateway token",
            if text.chars().all(allowed) {
                format!("{} characters long", text.len())
            } else {
                "has a character that is not allowed".to_owned()
            },
            "a token has 8 to 128 letters, digits, `_` and `-`",
            "leave `token` out: a random one is made inside the qube",
        ))
    }
}
