// SPDX-License-Identifier: MIT OR Apache-2.0

//! The extra settings of OpenClaw, from TOML to JSON, and which of them a person must insist on.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value as Json};

use super::draft::ServerDraft;
use super::findings::{Findings, Reported};
use super::setting::{Item, SettingPath};
use super::tree::{Node, Table, Value};
use crate::diagnostic::{self, Diagnostic, Place};
use crate::model::{ExtraSettings, Invalid, nearest};
use crate::openclaw::safety::{self, Objection, Path, Step};
use crate::openclaw::{self, Basis, schema, telegram};

/// Beyond it, a number is another one in JavaScript.
const LARGEST: i64 = (1 << 53) - 1;
/// Neither bound is met by a person; YAML and Python have them.
const DEEPEST: usize = 32;
const LONGEST_KEY: usize = 200;

/// Checks the extra settings of a server against what the formula sets by itself, where `basis`
/// says what that follows from.
pub(super) fn check(
    server: &ServerDraft,
    basis: Option<&Basis>,
    findings: &mut Findings,
) -> Result<ExtraSettings, Reported> {
    let managed = basis.map(openclaw::managed);
    let table = server.openclaw();
    let mut walk = Walk {
        managed: managed.as_ref().unwrap_or(&Json::Null),
        path: Path::default(),
        objections: Vec::new(),
        refused: Ok(()),
        findings,
    };
    let settings = table.map(|table| walk.table(table)).unwrap_or_default();
    let (mut objections, mut refused) = (walk.objections, walk.refused);
    for objection in telegram::object_to_groups(&settings) {
        let at = table.and_then(|table| place_of(table, &objection.to));
        objections.extend(at.map(|at| (objection, at)));
    }
    let names = decide(objections, server.overrides(), &mut refused, findings);
    if managed.is_some() {
        used_overrides(&names, server.overrides(), findings);
    }
    refused?;
    server
        .openclaw
        .value
        .as_ref()
        .map_err(|reported| *reported)?;
    Ok(ExtraSettings::checked(settings))
}

/// The place of the name that a path of names ends with.
fn place_of(table: &Table, path: &Path) -> Option<Place> {
    let (first, rest) = path.0.split_first()?;
    let Step::Key(name) = first else { return None };
    let (key, node) = table.entries.iter().find(|(key, _)| key.name == *name)?;
    match &node.value {
        Value::Table(inner) if !rest.is_empty() => place_of(inner, &Path(rest.to_vec())),
        _ => Some(key.place.clone()),
    }
}

/// What is objected to is an error, or a warning where a person insists. Returns the paths.
fn decide(
    objections: Vec<(Objection, Place)>,
    overrides: &[Item<SettingPath>],
    refused: &mut Result<(), Reported>,
    findings: &mut Findings,
) -> HashSet<String> {
    let overrides: HashMap<_, _> = overrides
        .iter()
        .map(|(path, at)| (path.0.as_str(), at))
        .collect();
    let mut names = HashSet::new();
    for (objection, at) in objections {
        let name = objection.to.to_string();
        if names.contains(&name) {
            continue;
        }
        match overrides.get(name.as_str()) {
            Some(insisted_at) => findings.push(
                Diagnostic::warning(
                    (*insisted_at).clone(),
                    Invalid::new(
                        format!("the safety of `{name}` is overridden"),
                        objection.label,
                        objection.rule,
                        "leave it out, unless you know what it does",
                    ),
                )
                .related(at, "the setting"),
            ),
            None => {
                let what = Invalid::new(
                    format!("`{name}` is refused as an extra setting"),
                    objection.label,
                    objection.rule,
                    format!(
                        "{}; or, if you know what it does, add override-safety = [{}] to the \
                         server",
                        objection.instead.unwrap_or("leave it out"),
                        toml_string(&name)
                    ),
                );
                *refused = Err(findings.error(&at, what));
            }
        }
        names.insert(name);
    }
    names
}

/// Insisting on what is not refused is an error.
fn used_overrides(
    refused: &HashSet<String>,
    overrides: &[Item<SettingPath>],
    findings: &mut Findings,
) {
    // The nearest name is looked for among all of them.
    let mut left = diagnostic::MOST_SHOWN;
    for (path, at) in overrides {
        if refused.contains(&path.0) {
            continue;
        }
        let known = refused.iter().map(String::as_str);
        left = left.saturating_sub(1);
        let name = if left > 0 {
            nearest(&path.0, known)
        } else {
            None
        };
        let what = Invalid::new(
            format!("{} overrides nothing", toml_string(&path.0)),
            "no such refused setting",
            "each item of `override-safety` names one of the server's extra settings that is \
             refused without it",
            match name {
                Some(name) => format!("write {}", toml_string(name)),
                None => "leave it out".to_owned(),
            },
        );
        findings.error(at, what);
    }
}

/// Text as TOML has it, with as few escapes as can be.
fn toml_string(text: &str) -> String {
    let plain = |c: char| !c.is_control() && c != '\'';
    if text.contains(['"', '\\']) && text.chars().all(plain) {
        format!("'{text}'")
    } else {
        Json::from(text).to_string()
    }
}

struct Walk<'a> {
    managed: &'a Json,
    path: Path,
    objections: Vec<(Objection, Place)>,
    /// Whether anything was refused whatever a person insists on.
    refused: Result<(), Reported>,
    findings: &'a mut Findings,
}

impl Walk<'_> {
    fn table(&mut self, table: &Table) -> Map<String, Json> {
        let mut entries = Map::new();
        for (key, node) in &table.entries {
            // The last is how JavaScript is made to set something else.
            if key.name.is_empty() || key.name.len() > LONGEST_KEY || key.name == "__proto__" {
                self.wrong(
                    &key.place,
                    "a name that no setting of OpenClaw's has".to_owned(),
                    "not a setting's name",
                    format!("a setting's name has 1 to {LONGEST_KEY} bytes, and is not __proto__"),
                    "leave it out",
                );
                continue;
            }
            if self.path.0.is_empty()
                && let Some(what) = schema::refuse_part(&key.name)
            {
                self.refuse(&key.place, what);
                continue;
            }
            let step = Step::Key(key.name.clone());
            let value = self.below(step, &key.place, |walk| walk.setting(node, &key.place));
            if let Some(value) = value {
                entries.insert(key.name.clone(), value);
            }
        }
        entries
    }

    /// Does something one step further in, unless that is too deep.
    fn below(
        &mut self,
        step: Step,
        at: &Place,
        inner: impl FnOnce(&mut Self) -> Option<Json>,
    ) -> Option<Json> {
        if self.path.0.len() >= DEEPEST {
            return self.wrong(
                at,
                "a setting deeper than any of OpenClaw's".to_owned(),
                "too deep",
                format!("settings are at most {DEEPEST} tables and arrays deep"),
                "leave it out",
            );
        }
        self.path.0.push(step);
        let value = inner(self);
        self.path.0.pop();
        value
    }

    /// The value of a table's entry. `at` is its name's place.
    fn setting(&mut self, node: &Node, at: &Place) -> Option<Json> {
        if let Some(what) = schema::refuse_unknown(&self.path) {
            return self.refuse(at, what);
        }
        if let Value::Table(table) = &node.value
            && !table.entries.is_empty()
            && !is_reference(table)
        {
            if let Some(what) =
                schema::refuse_kind(&self.path, &Json::Object(Map::new()), self.managed)
            {
                return self.refuse(at, what);
            }
            if let Some(objection) = safety::object_to_table(&self.path, self.managed) {
                self.objections.push((objection, at.clone()));
            }
            return Some(Json::Object(self.table(table)));
        }
        let value = self.value(node)?;
        if let Some(what) = schema::refuse_kind(&self.path, &value, self.managed) {
            return self.refuse(at, what);
        }
        // An array is a setting as a whole.
        if !self.path.is_in_array()
            && let Some(objection) = safety::object_to_setting(&self.path, &value, self.managed)
        {
            self.objections.push((objection, at.clone()));
        }
        Some(value)
    }

    /// A value, and what is objected to in it.
    fn value(&mut self, node: &Node) -> Option<Json> {
        let value = match &node.value {
            Value::Table(table) if is_reference(table) => {
                let text = |(key, node): &(super::tree::Key, Node)| match &node.value {
                    Value::Text(text) => Some((key.name.clone(), Json::from(text.as_str()))),
                    _ => None,
                };
                Json::Object(table.entries.iter().filter_map(text).collect())
            }
            Value::Table(table) => return Some(Json::Object(self.table(table))),
            Value::Array(items) => return self.array(items),
            Value::Text(text) => Json::from(text.as_str()),
            Value::Boolean(boolean) => Json::from(*boolean),
            Value::Integer(Some(number)) if (-LARGEST..=LARGEST).contains(number) => {
                Json::from(*number)
            }
            Value::Integer(_) => {
                return self.wrong(
                    &node.place,
                    format!("`{}` is beyond what OpenClaw reads", self.path),
                    "too large a number",
                    format!("OpenClaw reads whole numbers up to {LARGEST}, and rounds larger ones"),
                    "write it in quotes if it is an id",
                );
            }
            Value::Float(number) => match serde_json::Number::from_f64(*number) {
                Some(number) => Json::Number(number),
                None => {
                    return self.wrong(
                        &node.place,
                        format!("`{}` is no number of JSON", self.path),
                        "not a finite number",
                        "OpenClaw's configuration is JSON, which has no inf and no nan".to_owned(),
                        "write a number",
                    );
                }
            },
            Value::Other(kind) => {
                return self.wrong(
                    &node.place,
                    format!("`{}` is {kind}", self.path),
                    kind,
                    "OpenClaw's configuration is JSON, which has no dates".to_owned(),
                    "write it in quotes",
                );
            }
        };
        if let Some(what) = safety::refuse_reference(&self.path, &value) {
            return self.refuse(&node.place, what);
        }
        if let Some(objection) = safety::object_to_value(&self.path, &value, self.managed) {
            self.objections.push((objection, node.place.clone()));
        }
        Some(value)
    }

    fn array(&mut self, items: &[Node]) -> Option<Json> {
        let mut values = Vec::new();
        for (number, item) in items.iter().enumerate() {
            let value = self.below(Step::Item(number), &item.place, |walk| {
                let value = walk.value(item)?;
                match schema::refuse_kind(&walk.path, &value, walk.managed) {
                    Some(what) => walk.refuse(&item.place, what),
                    None => Some(value),
                }
            });
            values.push(value?);
        }
        Some(Json::Array(values))
    }

    fn refuse(&mut self, at: &Place, what: Invalid) -> Option<Json> {
        self.refused = Err(self.findings.error(at, what));
        None
    }

    fn wrong(
        &mut self,
        at: &Place,
        problem: String,
        label: &str,
        rule: String,
        fix: &str,
    ) -> Option<Json> {
        self.refuse(at, Invalid::new(problem, label, rule, fix))
    }
}

/// Whether a table says where a secret is: OpenClaw's SecretRef.
fn is_reference(table: &Table) -> bool {
    let is_text =
        |name| matches!(table.get(name), Some(node) if matches!(node.value, Value::Text(_)));
    is_text("source")
        && is_text("id")
        && table.entries.iter().all(|(key, _)| {
            ["source", "provider", "id"].contains(&key.name.as_str()) && is_text(&key.name)
        })
}
