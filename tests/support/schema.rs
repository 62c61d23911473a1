// SPDX-License-Identifier: MIT OR Apache-2.0

//! What this program knows of OpenClaw's settings, held to the schema of the real one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use openclaw_formula::openclaw::safety;
use openclaw_formula::openclaw::{renamed, secrets, settings};
use serde_json::Value;

use super::repository;

/// Fails unless the rules for extra settings are about settings that OpenClaw has, about all parts
/// of them, and know of what kinds they are, what may hold a secret and what calls itself
/// dangerous. Writes what is recorded anew where it differs.
#[track_caller]
pub fn rules_fit(schema: &Value, matrix: &Value) {
    let parts: BTreeSet<_> = safety::parts().collect();
    let real = schema["properties"].as_object().unwrap();
    let real: BTreeSet<_> = real.keys().map(String::as_str).collect();
    assert_eq!(real.difference(&parts).collect::<Vec<_>>(), [&"$schema"]);
    assert_eq!(parts.difference(&real).count(), 0, "{parts:?}");
    for (rule, _) in safety::rules() {
        assert!(has(schema, rule), "{rule}");
    }
    for (older, newer) in renamed::all() {
        assert!(!has(schema, older), "{older} is there still");
        assert!(has(schema, newer), "{newer}, once {older}, is not there");
    }

    let mut known = BTreeMap::new();
    collect(schema, &mut Vec::new(), &mut known);
    let recorded = known
        .iter()
        .filter(|(words, _)| safety::lets_through(&settings::example(words, "x")));
    renew("src/openclaw/settings.txt", |old| {
        let line = |(words, kinds): (&String, &BTreeSet<String>)| {
            let kinds = columns(kinds);
            // A meaning is kept where all else is as it was.
            let same = |line: &&&str| line.starts_with(&format!("{words} {kinds} "));
            let kept = old.iter().find(same).map(|line| (*line).to_owned());
            let is_inner = kinds
                .split('|')
                .all(|kind| ["list", "table"].contains(&kind));
            kept.unwrap_or_else(|| {
                format!("{words} {kinds} {}", if is_inner { "-" } else { "new" })
            })
        };
        recorded.map(line).collect()
    });

    // What is not recorded is refused, whatever is in it.
    let mut refused = 0;
    for words in known.keys() {
        let path = settings::example(words, "x");
        let is_part = words != "$schema";
        if is_part && !safety::lets_through(&path) && !path.is_in_array() {
            let objection = safety::object_to_setting(&path, &Value::from("x"), &Value::Null);
            assert!(objection.is_some(), "{words}");
            refused += 1;
        }
    }
    assert!(refused > 1000, "{refused}");

    let listed: BTreeSet<_> = matrix["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["configFile"] == "openclaw.json")
        .map(|entry| entry["path"].as_str().unwrap().to_owned())
        .collect();
    renew("src/openclaw/secrets.txt", |_| {
        listed.iter().cloned().collect()
    });
    assert!(secrets::all().count() > 80);

    let label = |words: &str| {
        let path = settings::example(words, "x");
        safety::object_to_value(&path, &Value::from("hunter2"), &Value::Null).map(|it| it.label)
    };
    for words in &listed {
        // What a variable is for, only its name tells.
        if !words.ends_with(".env.*") {
            assert_eq!(label(words), Some("a secret"), "{words}");
        }
    }
    let dangerous: Vec<_> = known
        .keys()
        .filter(|words| words.rsplit('.').next().unwrap().contains("angerous"))
        .collect();
    assert!(dangerous.len() > 20, "{dangerous:?}");
    for words in dangerous {
        assert!(label(words).is_some(), "{words}");
    }
}

/// Fails unless the lines of a file are these, and then writes them where they can be taken from.
#[track_caller]
fn renew(file: &str, lines: impl FnOnce(&[&str]) -> Vec<String>) {
    let old = std::fs::read_to_string(repository().join(file)).unwrap();
    let (head, old): (Vec<_>, Vec<_>) = old.lines().partition(|line| line.starts_with('#'));
    let new = lines(&old);
    if new != old {
        let name = std::path::Path::new(file).file_name().unwrap();
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let head = head.into_iter().map(str::to_owned);
        let text: Vec<_> = head.chain(new).collect();
        std::fs::write(&path, text.join("\n") + "\n").unwrap();
        panic!("{file} is not as {}", path.display());
    }
}

/// The kinds of a setting, as they are recorded.
fn columns(kinds: &BTreeSet<String>) -> String {
    const ORDER: [&str; 8] = [
        "any",
        "text",
        "number",
        "boolean",
        "list",
        "table",
        "reference",
        "null",
    ];
    let named = ORDER
        .iter()
        .filter(|kind| kinds.contains(**kind))
        .map(|kind| (*kind).to_owned());
    let fixed = kinds
        .iter()
        .filter(|kind| !ORDER.contains(&kind.as_str()))
        .cloned();
    named.chain(fixed).collect::<Vec<_>>().join("|")
}

/// Whether a schema takes whatever there is.
fn is_free(schema: &Value) -> bool {
    const SAYS_NOTHING: [&str; 3] = ["default", "description", "title"];
    *schema == Value::Bool(true)
        || schema.as_object().is_some_and(|schema| {
            schema
                .keys()
                .all(|key| SAYS_NOTHING.contains(&key.as_str()))
        })
}

/// The paths of all that a schema lets somebody write, and the kinds of value that may be there.
fn collect(schema: &Value, at: &mut Vec<String>, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let forms = ["anyOf", "oneOf", "allOf"];
    for form in forms
        .into_iter()
        .flat_map(|form| schema[form].as_array())
        .flatten()
    {
        collect(form, at, found);
    }
    let mut kinds = BTreeSet::new();
    if is_free(schema) {
        kinds.insert("any".to_owned());
    }
    let fixed = schema["enum"].as_array().into_iter().flatten();
    kinds.extend(fixed.chain(schema.get("const")).map(Value::to_string));
    if kinds.is_empty() {
        let types = match &schema["type"] {
            Value::Array(types) => types.iter().collect(),
            one => vec![one],
        };
        kinds.extend(types.into_iter().filter_map(Value::as_str).map(|kind| {
            match kind {
                "array" => "list",
                "integer" => "number",
                "object" if is_reference(schema) => "reference",
                "object" => "table",
                "string" => "text",
                other => other,
            }
            .to_owned()
        }));
    }
    if !at.is_empty() && !kinds.is_empty() {
        found.entry(at.join(".")).or_default().extend(kinds);
    }
    if is_reference(schema) {
        return;
    }
    let named = schema["properties"].as_object().into_iter().flatten();
    let named = named.map(|(name, inner)| (name.clone(), inner));
    let others = &schema["additionalProperties"];
    let others = (others.is_object() || *others == true).then(|| ("*".to_owned(), others));
    let items = match &schema["items"] {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let items = items.into_iter().map(|item| ("[]".to_owned(), item));
    for (word, inner) in named.chain(others).chain(items) {
        let is_any_name = ["*", "[]"].contains(&word.as_str());
        at.push(if is_any_name && is_free(inner) {
            "**".to_owned()
        } else {
            word
        });
        collect(inner, at, found);
        at.pop();
    }
}

/// Whether this is one form of a reference to a secret.
fn is_reference(schema: &Value) -> bool {
    let names = schema["properties"].as_object().into_iter().flatten();
    names
        .map(|(name, _)| name.as_str())
        .collect::<BTreeSet<_>>()
        == BTreeSet::from(["id", "provider", "source"])
}

/// Whether a schema has something there; a `*` in the words is any name, and so is one in the
/// schema.
fn has(schema: &Value, words: &str) -> bool {
    let (first, rest) = words.split_once('.').unwrap_or((words, ""));
    let inside =
        |inner: &Value| rest.is_empty() && !inner.is_null() || !rest.is_empty() && has(inner, rest);
    let named = schema["properties"].as_object().into_iter().flatten();
    let others = &schema["additionalProperties"];
    let forms = ["anyOf", "oneOf", "allOf"];
    named
        .filter(|(name, _)| first == "*" || name.as_str() == first)
        .any(|(_, inner)| inside(inner))
        || others.is_object() && inside(others)
        || forms
            .into_iter()
            .flat_map(|form| schema[form].as_array())
            .flatten()
            .any(|form| has(form, words))
}
