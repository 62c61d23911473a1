// SPDX-License-Identifier: MIT OR Apache-2.0

//! How model providers are set up in a qube, from the table `setup` of each file in
//! `src/providers/`. A new provider is one more file there, and its example; one that brings a
//! service of its own has states or units under `salt/openclaw/providers/` and `templates/qube/`
//! too.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::model::{Deployment, PROVIDERS, Port, Provider};

/// How one provider is set up.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Setup {
    /// Its key, if it needs one.
    pub key: Option<Key>,
    /// The command by which its user logs in, if it takes no key.
    pub login: Option<String>,
    /// Its part of `openclaw.json`: see [`Setup::settings`].
    settings: Map<String, Value>,
    /// What its tooling needs from the distribution.
    pub needs: Vec<Need>,
    /// How its tooling is installed, if it has any.
    pub install: Option<Install>,
    /// The commands that its tooling puts below `/usr/local/bin`, each a template in
    /// `templates/qube/usr/local/bin/`.
    pub commands: Vec<String>,
    /// The files that it needs in the user's home.
    pub files: Vec<ServiceFile>,
    /// The user units that run it, which are among its files.
    pub units: Vec<Unit>,
}

/// How the tooling of a provider is installed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Install {
    /// The states that install it, a template under `salt/openclaw/providers/`.
    pub states: String,
    /// The file that is there when it is installed.
    pub done: String,
    /// What it leaves in a qube beside commands and files, which `openclaw.clean` removes.
    pub leaves: Vec<String>,
    /// The programs that the states fetch.
    #[serde(default)]
    pub pins: Vec<Pin>,
}

/// A program that a provider's states fetch.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// What those states call it.
    #[serde(skip_serializing)]
    pub name: String,
    /// Its package URL, without the version (<https://github.com/package-url/purl-spec>).
    #[serde(skip_serializing)]
    pub package: String,
    /// Its version.
    pub version: String,
    /// Where it is fetched from: a URL, or Go's path of a program.
    pub source: String,
    /// Of the archive. None where Go's checksum database says what a version is.
    pub sha256: Option<String>,
}

/// A provider's key, which its user enters in the qube.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The environment variable that holds it.
    pub variable: String,
    /// What its keys begin with, each kind of them; none if they begin with anything. It may be the
    /// beginning of another provider's: a key belongs to whoever has the longest beginning of it.
    pub prefixes: Vec<String>,
}

/// A service of a provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// The unit's name.
    pub name: String,
    /// The URL that answers when it serves: see [`Unit::answers`].
    answers: String,
}

impl Unit {
    /// The URL that answers when it serves, where the cursor proxy has this port.
    pub fn answers(&self, proxy: Port) -> String {
        self.answers.replace(PROXY, &proxy.to_string())
    }
}

/// A program that comes from the distribution.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// Its path, which tells whether it is there.
    pub path: Cow<'static, str>,
    /// What the template package requires for it: a package's name, or the path where the package
    /// is called otherwise from one release of Fedora to another.
    pub requires: Cow<'static, str>,
    /// Debian's package.
    pub debian: Cow<'static, str>,
    /// Fedora's package.
    pub fedora: Cow<'static, str>,
}

impl Need {
    /// A need of every server.
    pub(crate) const fn of_all(
        path: &'static str,
        requires: &'static str,
        debian: &'static str,
        fedora: &'static str,
    ) -> Self {
        Need {
            path: Cow::Borrowed(path),
            requires: Cow::Borrowed(requires),
            debian: Cow::Borrowed(debian),
            fedora: Cow::Borrowed(fedora),
        }
    }
}

/// A file of a provider in the home of the qube's user.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceFile {
    /// Where it goes, below `/home/user`; its template is at the same place in
    /// `templates/qube/home/user/`.
    pub path: String,
    /// Its mode, in octal digits.
    #[serde(deserialize_with = "octal")]
    pub mode: u16,
}

fn octal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let text = String::deserialize(deserializer)?;
    u16::from_str_radix(&text, 8).map_err(D::Error::custom)
}

/// What a provider's settings depend on.
#[derive(Debug)]
pub struct Use<'a> {
    /// Where the cursor proxy listens.
    pub proxy: Port,
    /// The provider's own models that the server uses, at least one.
    pub models: Vec<&'a str>,
}

/// Stands for the cursor proxy's port.
const PROXY: &str = "{proxy}";
/// Stands for a model. What has it is there once for each.
const MODEL: &str = "{model}";
/// Stands for the provider's key.
const KEY: &str = "{key}";

impl Setup {
    /// Reads the table `setup` of a provider's file.
    ///
    /// # Panics
    /// If it is not as it must be: the file is a part of this program.
    fn read(provider: &Provider) -> Self {
        // The model reads the rest of the same file.
        #[derive(Deserialize)]
        struct File {
            setup: Setup,
            #[serde(flatten)]
            _others: BTreeMap<String, IgnoredAny>,
        }
        match toml::from_str::<File>(provider.text) {
            Ok(file) => file.setup,
            Err(error) => panic!("src/providers/{}.toml: {error}", provider.name),
        }
    }

    /// Its part of `openclaw.json`. In the file, `{proxy}` stands for the proxy's port, `{key}` for
    /// a reference to the key; entries and items with `{model}` are there once for each model.
    pub fn settings(&self, with: &Use) -> Value {
        let settings = Value::Object(self.settings.clone());
        self.filled(&settings, with, None)
    }

    fn filled(&self, value: &Value, with: &Use, model: Option<&str>) -> Value {
        match value {
            Value::String(text) if text == KEY => {
                let key = self.key.as_ref().expect("a provider with {key} has a key");
                environment(&key.variable)
            }
            Value::String(text) => fill(text, with, model).into(),
            Value::Array(items) => {
                let each = |item: &Value| -> Vec<Value> {
                    let is_each = model.is_none() && item.to_string().contains(MODEL);
                    models(is_each, with, model)
                        .map(|model| self.filled(item, with, model))
                        .collect()
                };
                items.iter().flat_map(each).collect()
            }
            Value::Object(entries) => {
                let mut filled = Map::new();
                for (key, value) in entries {
                    let is_each = model.is_none() && key.contains(MODEL);
                    for model in models(is_each, with, model) {
                        let value = self.filled(value, with, model);
                        filled.insert(fill(key, with, model), value);
                    }
                }
                Value::Object(filled)
            }
            other => other.clone(),
        }
    }
}

/// The models that something is there for: each, or the one at hand.
fn models<'a>(
    is_each: bool,
    with: &'a Use,
    model: Option<&'a str>,
) -> impl Iterator<Item = Option<&'a str>> {
    let each = with.models.iter().copied().map(Some);
    let one = (!is_each).then_some(model);
    each.filter(move |_| is_each).chain(one)
}

fn fill(text: &str, with: &Use, model: Option<&str>) -> String {
    let text = text.replace(PROXY, &with.proxy.to_string());
    match model {
        Some(model) => text.replace(MODEL, model),
        None => text,
    }
}

/// How a provider is set up.
pub fn setup(provider: &'static Provider) -> &'static Setup {
    static ALL: LazyLock<BTreeMap<&'static str, Setup>> = LazyLock::new(|| {
        let all = PROVIDERS.iter();
        all.map(|provider| (provider.name, Setup::read(provider)))
            .collect()
    });
    let known = ALL.get(provider.name).filter(|_| {
        let own = PROVIDERS.iter().find(|it| it.name == provider.name);
        own.is_some_and(|own| std::ptr::eq(own, provider))
    });
    // One that a test has made up.
    known.unwrap_or_else(|| Box::leak(Box::new(Setup::read(provider))))
}

/// Every provider, with how it is set up.
pub fn all() -> impl Iterator<Item = (&'static Provider, &'static Setup)> {
    PROVIDERS.iter().map(|provider| (provider, setup(provider)))
}

/// Those that the tools of a deployment's qubes know: the ones that are shown first, and the ones
/// that its servers use.
pub fn known(deployment: &Deployment) -> impl Iterator<Item = (&'static Provider, &'static Setup)> {
    let is_used = |provider: &Provider| {
        let sets = deployment.servers.iter().map(|server| &server.providers);
        sets.into_iter().any(|set| set.has(provider.name))
    };
    all().filter(move |(provider, _)| provider.is_first() || is_used(provider))
}

/// Keys of services that are no provider here, which people mistake for one of a provider.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OtherKey {
    /// What people call the service.
    pub title: &'static str,
    /// What its keys begin with.
    pub prefixes: &'static [&'static str],
}

const KNOWN_KEYS: [OtherKey; 6] = [
    OtherKey {
        title: "OpenRouter",
        prefixes: &["sk-or-"],
    },
    OtherKey {
        title: "Google",
        prefixes: &["AIza"],
    },
    OtherKey {
        title: "xAI",
        prefixes: &["xai-"],
    },
    OtherKey {
        title: "Groq",
        prefixes: &["gsk_"],
    },
    OtherKey {
        title: "Hugging Face",
        prefixes: &["hf_"],
    },
    OtherKey {
        title: "NVIDIA",
        prefixes: &["nvapi-"],
    },
];

/// What is known of keys of services that are none of these providers.
pub fn other_keys(
    providers: impl Iterator<Item = (&'static Provider, &'static Setup)>,
) -> Vec<OtherKey> {
    let titles: Vec<_> = providers
        .map(|(provider, _)| provider.title.as_str())
        .collect();
    let others = KNOWN_KEYS.into_iter();
    others
        .filter(|other| !titles.contains(&other.title))
        .collect()
}

/// The variable of the gateway's environment that holds its token.
pub const GATEWAY_TOKEN: &str = "OPENCLAW_GATEWAY_TOKEN";

/// The variables that hold what the formula keeps secret: the gateway's token, and each provider's
/// key.
pub fn variables() -> impl Iterator<Item = &'static str> {
    let keys = all().filter_map(|(_, setup)| setup.key.as_ref());
    std::iter::once(GATEWAY_TOKEN).chain(keys.map(|key| key.variable.as_str()))
}

/// A reference to a secret in the gateway's environment (OpenClaw's SecretRef).
pub fn environment(variable: &str) -> Value {
    json!({ "source": "env", "provider": "default", "id": variable })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{PackageVersion, ProviderRef, ProviderSet, Server, find};
    use crate::openclaw;
    use crate::plan::Plan;

    /// Whose key it is that begins with this: whoever has the longest beginning of it.
    fn owner(key: &str) -> Option<String> {
        let own = all().filter_map(|(provider, setup)| {
            let prefixes = setup.key.as_ref()?.prefixes.iter();
            Some(prefixes.map(|prefix| (provider.title.clone(), prefix.clone())))
        });
        let others = other_keys(all()).into_iter().flat_map(|other| {
            let prefixes = other.prefixes.iter();
            prefixes.map(move |prefix| (other.title.to_owned(), (*prefix).to_owned()))
        });
        own.flatten()
            .chain(others)
            .filter(|(_, prefix)| key.starts_with(prefix.as_str()))
            .max_by_key(|(_, prefix)| prefix.len())
            .map(|(title, _)| title)
    }

    #[test]
    fn a_key_tells_whose_it_is() {
        for (provider, setup) in all() {
            for prefix in setup.key.iter().flat_map(|key| &key.prefixes) {
                assert_eq!(owner(prefix).as_ref(), Some(&provider.title), "{prefix}");
            }
        }
        for other in other_keys(all()) {
            for prefix in other.prefixes {
                assert_eq!(owner(prefix).as_deref(), Some(other.title), "{prefix}");
            }
        }
        assert_eq!(owner("sk-proj-abc").as_deref(), Some("OpenAI"));
        assert_eq!(owner("sk-ant-oat01-abc").as_deref(), Some("Anthropic"));
    }

    /// Two providers with one variable would have each other's key.
    #[test]
    fn each_key_has_a_variable_of_its_own() {
        let names: Vec<_> = variables().collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }

    #[test]
    fn cursors_models_are_those_of_the_pinned_proxy() {
        let cursor = find("cursor").unwrap();
        let pins = &setup(cursor).install.as_ref().unwrap().pins;
        let pinned = pins.iter().find(|pin| pin.name == "proxy").unwrap();
        let commit = pinned.version.rsplit('-').next().unwrap();
        assert!(cursor.models.source.ends_with(commit));
    }

    /// A provider that is nothing but a file: its server has its settings, its units and its needs.
    #[test]
    fn a_provider_is_one_file() {
        const TEXT: &str = r#"
            title = "Made Up"
            requires = "nothing"
            online = false
            memory = { initial = 3000, max = 5000 }
            [models]
            default = "small"
            others = "accepted"
            as_of = "2026-12-01"
            source = "this test"
            names = ["small"]
            [setup]
            key = { variable = "MADE_UP_KEY", prefixes = ["mu-"] }
            [setup.settings.models.providers.made-up]
            apiKey = "{key}"
            baseUrl = "http://127.0.0.1:{proxy}"
            models = [{ id = "{model}" }]
            [setup.settings.tools.byProvider."made-up/{model}"]
            deny = ["group:web"]
            [[setup.needs]]
            path = "/usr/bin/make"
            requires = "make"
            debian = "make"
            fedora = "make"
            [[setup.units]]
            name = "openclaw-gateway.service"
            answers = "http://127.0.0.1:{proxy}/"
        "#;
        let provider: &'static Provider = Box::leak(Box::new(Provider::read("made-up", TEXT)));
        let set = ProviderSet::new(vec![ProviderRef::from(provider)]).unwrap();
        let server = Server::standard(set);
        assert_eq!(server.memory.max(), 5000);
        assert_eq!(server.model.to_string(), "made-up/small");
        let config = openclaw::config(&server);
        assert_eq!(
            config["models"]["providers"]["made-up"],
            json!({
                "apiKey": environment("MADE_UP_KEY"),
                "baseUrl": "http://127.0.0.1:32125",
                "models": [{ "id": "small" }],
            })
        );
        let denied = &config["tools"]["byProvider"]["made-up/small"]["deny"];
        assert_eq!(*denied, json!(["group:web"]));
        let plan = Plan::new(&Deployment {
            package: PackageVersion::default(),
            servers: vec![server],
        });
        let path = "/srv/formulas/base/openclaw-formula/openclaw/openclaw-vm/install.sls";
        let (_, install) = plan
            .dom0
            .iter()
            .find(|(at, _)| at.as_str() == path)
            .unwrap();
        let text = String::from_utf8_lossy(install.bytes().unwrap());
        assert!(text.contains("- make\n"), "{text}");
    }

    #[test]
    #[should_panic(expected = "src/providers/odd.toml: ")]
    fn a_file_with_an_unknown_key_is_refused() {
        Provider::read("odd", "title = \"Odd\"\nfree = true\n");
    }
}
