// SPDX-License-Identifier: MIT OR Apache-2.0

//! The model providers, one entry each. A new provider is one more entry of [`PROVIDERS`], its
//! states or unit under `salt/openclaw/providers/` and `templates/qube/` if it brings a service
//! of its own, and its examples.

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::{Memory, Port};
use crate::models::{self, Models};

/// One model provider.
#[derive(Debug)]
pub struct Provider {
    /// The word in the configuration, and OpenClaw's own id for it.
    pub name: &'static str,
    /// The file name of its example `openclaw.json`.
    pub example: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// What the user must bring, in words.
    pub requires: &'static str,
    /// Its key, if it needs one.
    pub key: Option<Key>,
    /// The memory that a server with it gets when nothing is said.
    pub memory: Memory,
    /// Whether it needs the Internet at run time.
    pub online: bool,
    /// Whether the cursor proxy serves it, on a port that others may be let through to.
    pub proxied: bool,
    /// Its part of `openclaw.json`.
    pub settings: fn(&Setup) -> Value,
    /// What its tooling needs from the distribution.
    pub needs: &'static [Need],
    /// The states that install its tooling, a template under `salt/openclaw/providers/`.
    pub install: Option<&'static str>,
    /// The programs that those states fetch.
    pub pins: &'static [Pin],
    /// The commands that its tooling puts below `/usr/local/bin`, each a template in
    /// `templates/qube/usr/local/bin/`.
    pub commands: &'static [&'static str],
    /// The files that it needs in the user's home.
    pub files: &'static [ServiceFile],
    /// The user units that run it, which are among its files.
    pub units: &'static [Unit],
}

impl Provider {
    /// Its models.
    pub fn models(&self) -> &'static Models {
        models::of(self.name)
    }
}

/// A program that a provider's states fetch.
#[derive(Debug, Serialize)]
pub struct Pin {
    /// What those states call it.
    #[serde(skip)]
    pub name: &'static str,
    /// Its package URL, without the version (<https://github.com/package-url/purl-spec>).
    #[serde(skip)]
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Where it is fetched from: a URL, or Go's path of a program.
    pub source: &'static str,
    /// Of the archive. None where Go's checksum database says what a version is.
    pub sha256: Option<&'static str>,
}

/// A provider's key, which its user enters in the qube.
#[derive(Debug)]
pub struct Key {
    /// The environment variable that holds it.
    pub variable: &'static str,
    /// What its keys begin with, each kind of them; none if they begin with anything. It may be the
    /// beginning of another provider's: a key belongs to whoever has the longest beginning of it.
    pub prefixes: &'static [&'static str],
}

/// Keys of services that are no provider here, which people mistake for one of a provider.
#[derive(Debug, Serialize)]
pub struct OtherKey {
    /// What people call the service.
    pub title: &'static str,
    /// What its keys begin with.
    pub prefixes: &'static [&'static str],
}

/// A service that becomes a provider leaves this list.
pub static OTHER_KEYS: &[OtherKey] = &[
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

/// A service of a provider.
#[derive(Debug)]
pub struct Unit {
    /// The unit's name.
    pub name: &'static str,
    /// The URL that answers when it serves, where the cursor proxy has this port.
    pub answers: fn(proxy: Port) -> String,
}

/// A program that comes from the distribution.
#[derive(Debug)]
pub struct Need {
    /// Its path, which tells whether it is there.
    pub path: &'static str,
    /// What the template package requires for it: a package's name, or the path where the package
    /// is called otherwise from one release of Fedora to another.
    pub requires: &'static str,
    /// Debian's package.
    pub debian: &'static str,
    /// Fedora's package.
    pub fedora: &'static str,
}

/// What a provider's settings depend on.
#[derive(Debug)]
pub struct Setup<'a> {
    /// Where the cursor proxy listens.
    pub proxy: Port,
    /// The provider's own models that the server uses, at least one.
    pub models: Vec<&'a str>,
}

/// A file of a provider in the home of the qube's user.
#[derive(Debug)]
pub struct ServiceFile {
    /// Where it goes, below `/home/user`; its template is at the same place in
    /// `templates/qube/home/user/`.
    pub path: &'static str,
    /// Its mode.
    pub mode: u16,
}

/// Every provider, in the order in which they are shown. The first is the default.
pub static PROVIDERS: &[Provider] = &[
    Provider {
        name: "cursor",
        example: "openclaw-cursor.json",
        title: "Cursor",
        requires: "Cursor Pro subscription; `cursor-agent login` in the qube",
        key: None,
        memory: Memory::DEFAULT,
        online: true,
        proxied: true,
        settings: |setup| {
            let base_url = format!("http://127.0.0.1:{}/v1", setup.proxy);
            json!({ "models": { "providers": { "cursor": {
                "baseUrl": base_url,
                "api": "openai-completions",
                "timeoutSeconds": 300,
                "models": listed(setup),
            } } } })
        },
        needs: &[Need {
            path: "/usr/bin/go",
            requires: "golang",
            debian: "golang-go",
            fedora: "golang",
        }],
        install: Some("cursor.sls"),
        // The proxy has no releases: this is its main branch of 2026-02-15. Cursor publishes no
        // hashes: this one is what public packagings of the version state.
        pins: &[
            Pin {
                name: "proxy",
                package: "pkg:golang/github.com/menezmethod/openclaw-cursor",
                version: "v0.0.0-20260215072851-fc4b5ca1d3dc",
                source: "github.com/menezmethod/openclaw-cursor/cmd/openclaw-cursor",
                sha256: None,
            },
            Pin {
                name: "agent",
                package: "pkg:generic/cursor-agent",
                version: "2026.09.28-64d2043",
                source: "https://downloads.cursor.com/lab/2026.09.28-64d2043/linux/x64/agent-cli-package.tar.gz",
                sha256: Some("6e4cd936a4866b8a77c50ff51a564460d715772fabc477a01aa0f0455d9559f0"),
            },
        ],
        commands: &["cursor-agent"],
        files: &[
            ServiceFile {
                path: ".openclaw/cursor-proxy.json",
                mode: 0o600,
            },
            ServiceFile {
                path: ".config/systemd/user/openclaw-cursor-proxy.service",
                mode: 0o644,
            },
        ],
        units: &[Unit {
            name: "openclaw-cursor-proxy.service",
            answers: |proxy| format!("http://127.0.0.1:{proxy}/health"),
        }],
    },
    Provider {
        name: "openai",
        example: "openclaw-openai.json",
        title: "OpenAI",
        requires: "an API key; `openclaw-key set openai` in the qube",
        key: Some(Key {
            variable: "OPENAI_API_KEY",
            prefixes: &["sk-"],
        }),
        memory: Memory::DEFAULT,
        online: true,
        proxied: false,
        // Without this runtime the gateway installs another one from npm as it starts.
        settings: |_| {
            json!({ "models": { "providers": { "openai": {
                "apiKey": environment("OPENAI_API_KEY"),
                "agentRuntime": { "id": "openclaw" },
            } } } })
        },
        needs: &[],
        install: None,
        pins: &[],
        commands: &[],
        files: &[],
        units: &[],
    },
    Provider {
        name: "anthropic",
        example: "openclaw-anthropic.json",
        title: "Anthropic",
        requires: "an API key; `openclaw-key set anthropic` in the qube",
        key: Some(Key {
            variable: "ANTHROPIC_API_KEY",
            prefixes: &["sk-ant-"],
        }),
        memory: Memory::DEFAULT,
        online: true,
        proxied: false,
        settings: |_| {
            json!({ "models": { "providers": { "anthropic": {
                "apiKey": environment("ANTHROPIC_API_KEY"),
            } } } })
        },
        needs: &[],
        install: None,
        pins: &[],
        commands: &[],
        files: &[],
        units: &[],
    },
    Provider {
        name: "ollama",
        example: "openclaw-ollama.json",
        title: "Ollama",
        requires: "about 8 GB of RAM for 7B models, 40 GB for 70B; `openclaw-model pull MODEL` in the qube",
        key: None,
        memory: Memory::known(4000, 12_000),
        online: false,
        proxied: false,
        // A small local model obeys whatever text a page contains: it gets no web tools.
        settings: |setup| {
            let restricted: serde_json::Map<_, _> = setup
                .models
                .iter()
                .map(|model| {
                    let deny = json!({ "deny": ["group:web", "browser"] });
                    (format!("ollama/{model}"), deny)
                })
                .collect();
            json!({
                "models": { "providers": { "ollama": {
                    "baseUrl": format!("http://127.0.0.1:{}", Port::OLLAMA),
                    "api": "ollama",
                    "apiKey": "ollama-local",
                    "timeoutSeconds": 300,
                    "models": listed(setup),
                } } },
                "tools": { "byProvider": restricted },
            })
        },
        needs: &[Need {
            path: "/usr/bin/zstd",
            requires: "zstd",
            debian: "zstd",
            fedora: "zstd",
        }],
        install: Some("ollama.sls"),
        // The hash is also in sha256sum.txt of the release.
        pins: &[Pin {
            name: "program",
            package: "pkg:github/ollama/ollama",
            version: "v0.35.1",
            source: "https://github.com/ollama/ollama/releases/download/v0.35.1/ollama-linux-amd64.tar.zst",
            sha256: Some("9fcd79ac4575b2bd31b992eee18b1000c8ad126b451627c8f8cd091714cfbb10"),
        }],
        commands: &["ollama", "openclaw-model"],
        files: &[ServiceFile {
            path: ".config/systemd/user/openclaw-ollama.service",
            mode: 0o644,
        }],
        units: &[Unit {
            name: "openclaw-ollama.service",
            answers: |_| format!("http://127.0.0.1:{}/api/version", Port::OLLAMA),
        }],
    },
];

/// The provider of this name.
pub fn find(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.name == name)
}

/// The variable of the gateway's environment that holds its token.
pub const GATEWAY_TOKEN: &str = "OPENCLAW_GATEWAY_TOKEN";

/// The variables that hold what the formula keeps secret: the gateway's token, and each provider's
/// key.
pub fn variables() -> impl Iterator<Item = &'static str> {
    let keys = PROVIDERS
        .iter()
        .filter_map(|provider| provider.key.as_ref());
    std::iter::once(GATEWAY_TOKEN).chain(keys.map(|key| key.variable))
}

/// The models as OpenClaw lists them.
fn listed(setup: &Setup) -> Vec<Value> {
    setup
        .models
        .iter()
        .map(|model| json!({ "id": model, "name": model }))
        .collect()
}

/// A reference to a secret in the gateway's environment (OpenClaw's SecretRef).
pub fn environment(variable: &str) -> Value {
    json!({ "source": "env", "provider": "default", "id": variable })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whose key it is that begins with this: whoever has the longest beginning of it.
    fn owner(key: &str) -> Option<&'static str> {
        let own = PROVIDERS.iter().filter_map(|provider| {
            let prefixes = provider.key.as_ref()?.prefixes;
            Some((provider.title, prefixes))
        });
        own.chain(OTHER_KEYS.iter().map(|other| (other.title, other.prefixes)))
            .flat_map(|(title, prefixes)| prefixes.iter().map(move |prefix| (title, *prefix)))
            .filter(|(_, prefix)| key.starts_with(prefix))
            .max_by_key(|(_, prefix)| prefix.len())
            .map(|(title, _)| title)
    }

    #[test]
    fn a_key_tells_whose_it_is() {
        for provider in PROVIDERS {
            for prefix in provider.key.iter().flat_map(|key| key.prefixes) {
                assert_eq!(owner(prefix), Some(provider.title), "{prefix}");
            }
        }
        for other in OTHER_KEYS {
            for prefix in other.prefixes {
                assert_eq!(owner(prefix), Some(other.title), "{prefix}");
            }
        }
        assert_eq!(owner("sk-proj-abc"), Some("OpenAI"));
        assert_eq!(owner("sk-ant-oat01-abc"), Some("Anthropic"));
    }

    /// Two providers with one variable would have each other's key.
    #[test]
    fn each_key_has_a_variable_of_its_own() {
        let keys = PROVIDERS
            .iter()
            .filter_map(|provider| provider.key.as_ref());
        let mut variables: Vec<_> = keys.map(|key| key.variable).collect();
        let count = variables.len();
        variables.sort_unstable();
        variables.dedup();
        assert_eq!(variables.len(), count);
    }
}
