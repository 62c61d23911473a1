// SPDX-License-Identifier: MIT OR Apache-2.0

//! What OpenClaw itself would refuse: settings that it does not know, and values of another kind. No
//! person can insist on these.

use serde_json::Value;

use super::path::{Path, Step};
use super::rules::parts;
use super::safety::{judged, lets_through};
use super::{renamed, settings};
use crate::model::{Invalid, nearest, pick};

/// Says that OpenClaw's configuration has no part of this name.
pub fn refuse_part(name: &str) -> Option<Invalid> {
    let parts: Vec<_> = parts().collect();
    let path = Path(vec![Step::Key(name.to_owned())]);
    (!parts.contains(&name)).then(|| {
        refuse_older(&path).unwrap_or_else(|| {
            Invalid::new(
                format!("OpenClaw has no settings \"{}\"", name.escape_debug()),
                "unknown settings",
                format!(
                    "the parts of OpenClaw's configuration are {}",
                    parts.join(", ")
                ),
                pick(name, &parts),
            )
        })
    })
}

/// Says what a setting of an earlier version is called now.
fn refuse_older(path: &Path) -> Option<Invalid> {
    let newer = renamed::newer(path)?;
    Some(Invalid::new(
        format!("`{path}` has another name now"),
        "of an earlier version",
        format!(
            "OpenClaw {} takes settings of earlier versions for what they became",
            super::VERSION
        ),
        format!("write `{newer}`"),
    ))
}

/// Says that OpenClaw has no such setting, where it is not refused in any case, or another name
/// for it.
pub fn refuse_unknown(path: &Path) -> Option<Invalid> {
    if let Some(older) = refuse_older(path) {
        return Some(older);
    }
    if !lets_through(path) || settings::find(path).is_some() {
        return None;
    }
    Some(Invalid::new(
        format!("OpenClaw has no setting `{path}`"),
        "unknown setting",
        format!(
            "OpenClaw {} knows its own settings only; it refuses others, or takes them for what \
             they became",
            super::VERSION
        ),
        match nearest(path.name(), settings::around(path)) {
            Some(name) => format!("write `{name}`"),
            None => "see https://docs.openclaw.ai for the settings".to_owned(),
        },
    ))
}

/// Says that a value is of another kind than what the formula has there, or than OpenClaw takes,
/// whoever insists.
pub fn refuse_kind(path: &Path, value: &Value, managed: &Value) -> Option<Invalid> {
    refuse_shape(path, value, managed).or_else(|| {
        let kinds = judged(path)?.kinds;
        (!kinds.admit(value)).then(|| {
            let fix = value
                .as_str()
                .and_then(|text| nearest(text, kinds.words()))
                .map_or_else(
                    || "see https://docs.openclaw.ai for the settings".to_owned(),
                    |word| format!("write \"{word}\""),
                );
            Invalid::new(
                format!("`{path}` is of another kind"),
                format!("{} is wanted", kinds.say()),
                format!(
                    "OpenClaw {} refuses a configuration that is not as its schema has it",
                    super::VERSION
                ),
                fix,
            )
        })
    })
}

fn refuse_shape(path: &Path, value: &Value, managed: &Value) -> Option<Invalid> {
    let mut found = managed;
    for (number, step) in path.0.iter().enumerate() {
        let Step::Key(key) = step else { break };
        match found {
            Value::Object(entries) => found = entries.get(key)?,
            _ => return Some(mismatched(&path.first(number), "not a table")),
        }
    }
    (found.is_object() && !value.is_object()).then(|| mismatched(path, "a table"))
}

fn mismatched(path: &Path, kind: &str) -> Invalid {
    Invalid::new(
        format!("`{path}` is {kind}"),
        format!("{kind} in OpenClaw's configuration"),
        "extra settings are merged into those of the formula, table by table",
        "see https://docs.openclaw.ai for the settings",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refused(path: &str, value: Value) -> bool {
        let steps = path.split('.').map(|word| Step::Key(word.to_owned()));
        let managed = json!({ "gateway": { "port": 18789, "auth": { "mode": "token" } } });
        refuse_kind(&Path(steps.collect()), &value, &managed).is_some()
    }

    #[test]
    fn a_table_stays_one() {
        assert!(refused("gateway", json!(1)));
        assert!(refused("gateway.port.x", json!(1)));
        assert!(!refused("gateway.auth", json!({})));
    }
}
