// SPDX-License-Identifier: MIT OR Apache-2.0

//! The JSON Schema of configurations, by which editors complete and check them. It says what kind
//! of value each key takes; what values mean together only the program itself checks.

use serde_json::{Map, Value, json};

use super::keys::{AnyKey, InTable};
use super::setting::Kind;

/// The schema, in the draft that editors of TOML know (<https://json-schema.org/draft-07>).
pub fn schema() -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A configuration of openclaw-formula",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "package": table(InTable::Package, "The packages."),
            "server": {
                "description": "The qubes that run OpenClaw, one table [[server]] each.",
                "type": "array",
                "items": table(InTable::Server, "A qube that runs OpenClaw."),
            },
        },
    })
}

fn table(table: InTable, description: &str) -> Value {
    let mut properties = Map::new();
    for key in table.keys() {
        let mut today = kind(key.kind);
        today["description"] = described(key).into();
        for former in key.entry.former {
            let mut old = kind(key.kind);
            old["description"] = format!("The former name of `{}`.", key.entry.name).into();
            old["deprecated"] = true.into();
            properties.insert((*former).to_owned(), old);
        }
        properties.insert(key.entry.name.to_owned(), today);
    }
    json!({
        "description": description,
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

/// What an editor shows of a key, in Markdown.
fn described(key: &AnyKey) -> String {
    let entry = key.entry;
    let option = entry.option.as_ref().map(|option| option.help);
    let help = match (entry.comment, option) {
        ("", Some(help)) => help.split(" [default").next().unwrap_or(help),
        ("", None) => entry.rule,
        (comment, _) => comment,
    };
    // Its links lead to sections of the page that the rule stands on.
    let help = help.replace("see [below](#", "see (docs/configuration.md#");
    format!("{help}\n\nDefault: {}", entry.default)
}

fn kind(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Choice(words) => json!({ "type": "string", "enum": words() }),
        Kind::ChoiceOrBoolean(words) => {
            let words = words().into_iter().map(Value::from);
            let all: Vec<_> = words.chain([true.into(), false.into()]).collect();
            json!({ "enum": all })
        }
        Kind::Integer { least, most } => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::List(item) => list(*item),
        Kind::OneOrList(item) => {
            let mut list = list(*item);
            list["minItems"] = 1.into();
            json!({ "anyOf": [self::kind(*item), list] })
        }
        Kind::Ports => table(InTable::Ports, "The ports of a server."),
        Kind::Table => json!({ "type": "object" }),
    }
}

fn list(item: Kind) -> Value {
    json!({ "type": "array", "items": kind(item), "uniqueItems": true })
}
