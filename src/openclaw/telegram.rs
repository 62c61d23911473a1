// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the settings of Telegram mean together.

use serde_json::{Map, Value};

use super::path::{Path, Step};
use super::safety::{Objection, object};
use super::why;

/// Objects to Telegram groups in which everybody may give the agent orders, since nobody is named:
/// OpenClaw takes a group that is listed, and no list of people, for leave to all of its members.
pub fn object_to_groups(settings: &Map<String, Value>) -> Vec<Objection> {
    let telegram = settings
        .get("channels")
        .map_or(&Value::Null, |channels| &channels["telegram"]);
    let names_people = |scope: &Value| {
        let lists = ["groupAllowFrom", "allowFrom"];
        lists.iter().any(|list| scope[*list].is_array())
    };
    if names_people(telegram) {
        return Vec::new();
    }
    let accounts = telegram["accounts"].as_object().into_iter().flatten();
    let scopes = accounts
        .filter(|(_, account)| !names_people(account))
        .map(|(name, account)| (vec!["accounts", name.as_str()], account));
    let mut found = Vec::new();
    for (words, scope) in scopes.chain([(Vec::new(), telegram)]) {
        for (name, group) in scope["groups"].as_object().into_iter().flatten() {
            if !group["allowFrom"].is_array() {
                let words = [&["channels", "telegram"], &*words, &["groups", name]].concat();
                let steps = words.into_iter().map(|word| Step::Key(word.to_owned()));
                found.push(object(Path(steps.collect()), &why::OPEN));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_need_somebody_named() {
        let open = |telegram: Value| {
            let settings = json!({ "channels": { "telegram": telegram } });
            let objections = object_to_groups(settings.as_object().unwrap());
            let paths = objections.iter().map(|it| it.to.to_string());
            paths.collect::<Vec<_>>()
        };
        let groups = json!({ "-1": {}, "-2": { "allowFrom": [7] } });
        assert_eq!(
            open(json!({ "groups": groups })),
            ["channels.telegram.groups.-1"]
        );
        assert_eq!(open(json!({ "groups": groups, "allowFrom": [7] })), [""; 0]);
        assert_eq!(open(json!({ "groups": groups, "allowFrom": 7 })).len(), 1);
        assert_eq!(
            open(
                json!({ "accounts": { "a": { "groups": groups }, "b": { "groupAllowFrom": [] } } })
            ),
            ["channels.telegram.accounts.a.groups.-1"]
        );
    }
}
