// SPDX-License-Identifier: MIT OR Apache-2.0

//! The configuration as a manifest records it, which may be that of another version, or anybody's.
//!
//! It is no [`Deployment`] that is read back: a fixed token is not in it, and nothing is generated
//! from it. What this program needs of it has types; the rest is there for people.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::model::{
    Deployment, Invalid, PackageVersion, ProviderRef, ProviderSet, Release, Server,
};

/// What stands under `input`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Value")]
pub enum Input {
    /// What this version writes.
    Known(Record),
    /// What it does not know. `verify` needs nothing of it when another version wrote it, and a
    /// folder of an older version may be replaced.
    Unknown {
        /// What stands there.
        value: Value,
        /// What is wrong with it.
        reason: String,
    },
}

/// The input in the form that this version writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The version and release of the packages.
    pub package: PackageVersion,
    /// The servers.
    pub servers: Vec<ServerRecord>,
}

/// One server of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerRecord {
    /// The model providers that it is set up for.
    pub providers: Vec<ProviderRef>,
    /// All that is recorded, these too.
    keys: Map<String, Value>,
}

impl Input {
    /// What is recorded of a deployment.
    pub fn of(deployment: &Deployment) -> Self {
        Input::Known(Record {
            package: deployment.package.clone(),
            servers: deployment.servers.iter().map(ServerRecord::of).collect(),
        })
    }

    /// What it says, if this version can tell.
    ///
    /// # Errors
    /// If it has not the form that this version writes: a key too many, or one too few, may be what
    /// says that there is more.
    pub fn known(&self) -> Result<&Record, &str> {
        match self {
            Input::Known(record) => Ok(record),
            Input::Unknown { reason, .. } => Err(reason),
        }
    }
}

impl From<Value> for Input {
    fn from(value: Value) -> Self {
        match Record::read(&value) {
            Ok(record) => Input::Known(record),
            Err(reason) => Input::Unknown { value, reason },
        }
    }
}

impl Serialize for Input {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Input::Known(record) => record.serialize(serializer),
            Input::Unknown { value, .. } => value.serialize(serializer),
        }
    }
}

impl Record {
    fn read(value: &Value) -> Result<Self, String> {
        let input = object("the input", value, &["package", "servers"])?;
        let package = object("its package", &input["package"], &["version", "release"])?;
        let (Some(version), Some(release), Some(servers)) = (
            package["version"].as_str(),
            package["release"].as_i64(),
            input["servers"].as_array(),
        ) else {
            return Err("its version, release or servers are of another kind".to_owned());
        };
        // Any server has the keys that every server has: the model lists them, and nothing else.
        let standard = keys(&Server::standard(ProviderSet::default()));
        let known: Vec<_> = standard.keys().map(String::as_str).collect();
        let servers = servers
            .iter()
            .map(|server| ServerRecord::read(server, &known));
        Ok(Record {
            package: PackageVersion {
                version: version.parse().map_err(problem)?,
                release: Release::new(release).map_err(problem)?,
            },
            servers: servers.collect::<Result<_, _>>()?,
        })
    }
}

impl ServerRecord {
    fn of(server: &Server) -> Self {
        ServerRecord {
            providers: server.providers.iter().collect(),
            keys: keys(server),
        }
    }

    fn read(value: &Value, known: &[&str]) -> Result<Self, String> {
        let keys = object("a server", value, known)?;
        let names = keys["providers"].as_array();
        let names = names.ok_or("the providers of a server are no list")?;
        let providers = names.iter().map(|name| {
            let name = name.as_str().ok_or("a provider is no name")?;
            name.parse().map_err(problem)
        });
        Ok(ServerRecord {
            providers: providers.collect::<Result<_, String>>()?,
            keys: keys.clone(),
        })
    }
}

/// An object that has these keys and no others.
fn object<'a>(
    what: &str,
    value: &'a Value,
    known: &[&str],
) -> Result<&'a Map<String, Value>, String> {
    let keys = value.as_object();
    let keys = keys.ok_or_else(|| format!("{what} has no keys"))?;
    if let Some(key) = keys.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(format!("{what} has the key {key:?}"));
    }
    if let Some(key) = known.iter().find(|key| !keys.contains_key(**key)) {
        return Err(format!("{what} has no key {key:?}"));
    }
    Ok(keys)
}

impl Serialize for ServerRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.keys.serialize(serializer)
    }
}

fn keys(server: &Server) -> Map<String, Value> {
    match serde_json::to_value(server) {
        Ok(Value::Object(keys)) => keys,
        _ => unreachable!("a server is a struct, of what JSON can represent"),
    }
}

fn problem(invalid: Invalid) -> String {
    invalid.problem
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment() -> Deployment {
        Deployment {
            package: PackageVersion::default(),
            servers: vec![Server::standard(ProviderSet::first())],
        }
    }

    #[test]
    fn what_is_written_is_what_the_model_says_and_what_is_read() {
        let input = Input::of(&deployment());
        let text = serde_json::to_string_pretty(&input).unwrap();
        assert_eq!(text, serde_json::to_string_pretty(&deployment()).unwrap());
        assert_eq!(serde_json::from_str::<Input>(&text).unwrap(), input);
        let record = input.known().unwrap();
        let all: Vec<_> = ProviderSet::first().iter().collect();
        assert_eq!(record.servers[0].providers, all);
    }

    #[test]
    fn what_it_does_not_know_it_keeps_and_says_so() {
        let good = serde_json::to_value(deployment()).unwrap();
        let unknown = |change: &dyn Fn(&mut Value), reason: &str| {
            let mut value = good.clone();
            change(&mut value);
            let input = Input::from(value.clone());
            let said = input.known().unwrap_err();
            assert!(said.contains(reason), "{said}");
            assert_eq!(serde_json::to_value(&input).unwrap(), value);
        };
        let remove = |value: &mut Value, key: &str| {
            value.as_object_mut().unwrap().remove(key).unwrap();
        };
        unknown(&|it| *it = json!([]), "the input has no keys");
        unknown(&|it| *it = json!({}), "the input has no key \"package\"");
        unknown(
            &|it| remove(it, "servers"),
            "the input has no key \"servers\"",
        );
        unknown(
            &|it| it["skills"] = json!([]),
            "the input has the key \"skills\"",
        );
        unknown(&|it| it["servers"] = json!({}), "of another kind");
        unknown(&|it| it["package"]["version"] = json!("x"), "\"x\" is not");
        unknown(&|it| it["package"]["release"] = json!(0), "0 is not");
        let server = |change: &dyn Fn(&mut Value), reason| {
            unknown(&|it| change(&mut it["servers"][0]), reason);
        };
        server(&|it| *it = json!("openai"), "a server has no keys");
        server(&|it| remove(it, "providers"), "no key \"providers\"");
        server(&|it| it["tools"] = json!([]), "the key \"tools\"");
        server(&|it| it["providers"] = json!("openai"), "no list");
        server(
            &|it| it["providers"] = json!([{ "name": "openai" }]),
            "no name",
        );
        server(
            &|it| it["providers"] = json!(["nobody"]),
            "\"nobody\" is not",
        );
    }
}
