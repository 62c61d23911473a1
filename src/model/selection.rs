// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which providers a server uses, and which model.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::{Invalid, Memory, Others, PROVIDERS, Provider, find, nearest, pick};

/// A reference to one of the providers.
#[derive(Clone, Copy)]
pub struct ProviderRef(&'static Provider);

impl ProviderRef {
    /// The provider.
    pub fn get(self) -> &'static Provider {
        self.0
    }
}

impl std::ops::Deref for ProviderRef {
    type Target = Provider;

    fn deref(&self) -> &Provider {
        self.0
    }
}

impl From<&'static Provider> for ProviderRef {
    fn from(provider: &'static Provider) -> Self {
        ProviderRef(provider)
    }
}

impl PartialEq for ProviderRef {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ProviderRef {}

impl std::hash::Hash for ProviderRef {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for ProviderRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Serialize for ProviderRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl FromStr for ProviderRef {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        find(text).map(ProviderRef).ok_or_else(|| {
            let names: Vec<_> = PROVIDERS.iter().map(|provider| provider.name).collect();
            Invalid::new(
                format!("\"{}\" is not a provider", text.escape_debug()),
                "not a provider",
                format!("the providers are {}", names.join(", ")),
                pick(text, &names),
            )
        })
    }
}

/// One or more providers, each once; the first is the one that is used by default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ProviderSet(Vec<ProviderRef>);

impl ProviderSet {
    /// The set of one provider.
    pub fn one(provider: ProviderRef) -> Self {
        ProviderSet(vec![provider])
    }

    /// A set of several.
    ///
    /// # Errors
    /// If there is none, or one is there twice.
    pub fn new(providers: Vec<ProviderRef>) -> Result<Self, Invalid> {
        let invalid = |problem: String, label, fix| {
            let rule = "a server has at least one provider; the first is the default one";
            Invalid::new(problem, label, rule, fix)
        };
        if providers.is_empty() {
            return Err(invalid(
                "a server without a provider".to_owned(),
                "empty",
                "write provider = \"cursor\", or leave it out",
            ));
        }
        let again = (1..providers.len()).find(|at| providers[..*at].contains(&providers[*at]));
        match again {
            None => Ok(ProviderSet(providers)),
            Some(at) => Err(invalid(
                format!("the provider {:?} twice", providers[at]),
                "one of them again",
                "leave one of them out",
            )),
        }
    }

    /// Those that are shown first.
    pub fn first() -> Self {
        let first = PROVIDERS.iter().filter(|provider| provider.is_first());
        ProviderSet(first.map(ProviderRef).collect())
    }

    /// The default provider.
    pub fn primary(&self) -> ProviderRef {
        self.0[0]
    }

    /// The memory that a server with these gets when nothing is said: what the neediest needs.
    pub fn memory(&self) -> Memory {
        self.iter()
            .map(|provider| provider.memory)
            .max_by_key(|memory| memory.max())
            .unwrap_or(Memory::DEFAULT)
    }

    /// All of them, the default one first.
    pub fn iter(&self) -> impl Iterator<Item = ProviderRef> + '_ {
        self.0.iter().copied()
    }

    /// Whether the set has a provider of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|provider| provider.name == name)
    }
}

impl Default for ProviderSet {
    fn default() -> Self {
        ProviderSet::one(ProviderRef(&PROVIDERS[0]))
    }
}

impl fmt::Display for ProviderSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(|provider| provider.name).collect();
        f.write_str(&names.join(", "))
    }
}

/// A model of a provider, written `provider/model` as OpenClaw does. The model's own name is a
/// letter or digit, then letters, digits, `.`, `_`, `:`, `/`, `@`, `+` and `-`, 100 characters
/// at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRef {
    provider: ProviderRef,
    name: String,
}

impl ModelRef {
    /// The model that a provider uses when nothing is said.
    pub fn default_of(provider: ProviderRef) -> Self {
        ModelRef {
            provider,
            name: provider.models.default.clone(),
        }
    }

    /// Reads `provider/model`, or a model of the default provider alone. The provider must be
    /// one of the set.
    pub fn parse(text: &str, providers: &ProviderSet) -> Result<Self, Invalid> {
        let (provider, name) = match text.split_once('/') {
            Some((prefix, name)) if find(prefix).is_some() => {
                let provider = providers
                    .iter()
                    .find(|provider| provider.name == prefix)
                    .ok_or_else(|| {
                        Invalid::new(
                            format!("the model \"{}\" has no provider", text.escape_debug()),
                            format!("{prefix} is not among the providers"),
                            "a model's provider is one of the server's own",
                            format!(
                                "add \"{prefix}\" to `provider`, or write a model of {providers}"
                            ),
                        )
                    })?;
                (provider, name)
            }
            _ => (providers.primary(), text),
        };
        let allowed = |c: char| {
            c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '/' | '@' | '+' | '-')
        };
        let label = if name.is_empty() {
            "empty".to_owned()
        } else if let Some(bad) = name.chars().find(|c| !allowed(*c)) {
            format!("the character {bad:?} is not allowed")
        } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            "does not start with a letter or digit".to_owned()
        } else if name.len() > 100 {
            format!("{} characters long", name.len())
        } else {
            let model = ModelRef {
                provider,
                name: name.to_owned(),
            };
            return match model.unlisted(Others::Refused) {
                Some(what) => Err(what),
                None => Ok(model),
            };
        };
        Err(Invalid::new(
            format!("\"{}\" is not a model's name", text.escape_debug()),
            label,
            "a model's name is a letter or digit, then letters, digits, `.`, `_`, `:`, `/`, `@`, \
             `+` and `-`, 100 characters at most",
            format!("write a model such as \"{}\"", Self::default_of(provider)),
        ))
    }

    /// What to say of a model that may be none, if its provider's list does not have it.
    pub fn doubt(&self) -> Option<Invalid> {
        let mut what = self.unlisted(Others::Doubted)?;
        what.fix += ", or leave it if it is new";
        Some(what)
    }

    /// What to say if the list of its provider, whose others are treated so, does not have it.
    fn unlisted(&self, others: Others) -> Option<Invalid> {
        let models = &self.provider.models;
        if models.others != others || models.names.contains(&self.name) {
            return None;
        }
        let known = models.names.iter().map(String::as_str);
        Some(Invalid::new(
            format!("{self} is no known model of {}", self.provider.title),
            "not in the list",
            format!(
                "the models of {} are, by {} ({}), {}",
                self.provider.title,
                models.source,
                models.as_of,
                models.names.join(", ")
            ),
            match nearest(&self.name, known) {
                Some(name) => format!("write \"{}/{name}\"", self.provider.name),
                None => "write one of these".to_owned(),
            },
        ))
    }

    /// The provider.
    pub fn provider(&self) -> ProviderRef {
        self.provider
    }

    /// The model's name as its provider knows it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider.name, self.name)
    }
}

impl Serialize for ModelRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
