// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::Serialize;
use serde_json::{Map, Value};

/// Settings of OpenClaw's own that a server gets beside those of the formula.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ExtraSettings(Map<String, Value>);

impl ExtraSettings {
    /// Settings that were checked: nothing here knows of OpenClaw.
    pub(crate) fn checked(settings: Map<String, Value>) -> Self {
        ExtraSettings(settings)
    }

    /// As a part of `openclaw.json`.
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}
