// SPDX-License-Identifier: MIT OR Apache-2.0

//! The formula: states and top files, and the files that the states put in place.

use std::collections::BTreeSet;

use minijinja::context;
use minijinja::value::{Serde, Value};

use super::policy::PolicyView;
use super::view::{ClientView, Common, DeploymentView, ServerView};
use super::{FORMULA, FORMULA_ROOT};
use crate::model::Deployment;
use crate::provider;
use crate::render::{Renderer, embedded};
use crate::states::{FILES, Hosts, PARTS, Part, WHOLE};
use crate::tree::{FileTree, Role};

/// What is undone in a client; in one that has left the configuration, too.
const CLIENT_CLEAN: &str = "salt/openclaw/client/clean.sls";

/// What passes connections on, in dom0 and in clients alike.
const FORWARDER: &str = "usr/local/bin/openclaw-tcp-forward";

/// Its text: nothing in it depends on the configuration.
fn forwarder() -> &'static str {
    embedded(&format!("templates/common/{FORWARDER}"))
}

/// The commands of every server.
pub(super) const COMMANDS: [&str; 4] = [
    "openclaw",
    "openclaw-key",
    "openclaw-provider",
    "openclaw-settings",
];

/// What those commands share, below `/usr/local/lib/openclaw`.
pub(super) const MODULES: [&str; 5] = [
    "configuration.cjs",
    "environment.cjs",
    "files.cjs",
    "keys.cjs",
    "safety.cjs",
];

/// Adds the formula.
pub(super) fn add(
    tree: &mut FileTree,
    renderer: &Renderer,
    deployment: &Deployment,
    examples: &[(String, String)],
) {
    let all = DeploymentView::new(deployment);
    let common = Common::new(deployment, examples);
    let mut writer = Writer {
        tree,
        renderer,
        common: Value::from(Serde(&common)),
    };

    let servers: Vec<_> = all.servers.iter().map(|server| server.name).collect();
    let clients: Vec<_> = all.clients.iter().map(|client| client.name).collect();
    let qubes: Vec<_> = servers.iter().chain(&clients).copied().collect();
    let everyone: Vec<_> = std::iter::once("dom0")
        .chain(qubes.iter().copied())
        .collect();

    let context = Value::from(Serde(&all));
    writer.state(WHOLE, "salt/openclaw/init.sls", context.clone());
    writer.top(WHOLE, FORMULA, &everyone);
    for Part { name, hosts } in PARTS {
        match hosts {
            Hosts::Dom0 => {
                writer.state(name, &format!("salt/openclaw/{name}.sls"), context.clone());
                writer.top(name, &format!("{FORMULA}.{name}"), &["dom0"]);
            }
            Hosts::Servers(purpose) => writer.chosen(name, purpose, &servers),
            Hosts::Clients(purpose) => writer.chosen(name, purpose, &clients),
            Hosts::Everyone(purpose) => writer.chosen(name, purpose, &everyone),
        }
    }
    writer.state("former", CLIENT_CLEAN, context.clone());

    writer.state(
        "dom0/clean",
        "salt/openclaw/dom0/clean.sls",
        context.clone(),
    );
    writer.dom0_files(&all, context);
    let used = deployment.servers.iter().flat_map(|it| it.providers.iter());
    let provided = used.flat_map(|it| &provider::setup(it.get()).commands);
    writer.common_files(provided.map(String::as_str).collect(), examples);
    for server in &all.servers {
        writer.server(server);
    }
    for client in &all.clients {
        writer.client(client);
    }
}

/// Where a file says that it may be used, it says next where it is from and how to change it. Not
/// which version wrote it: another one would then change every file.
pub(super) fn with_origin(text: &str) -> String {
    const ORIGIN: &str = "Written by openclaw-formula from its configuration: change that, and build and apply anew.";
    let mut lines: Vec<_> = text.split('\n').map(str::to_owned).collect();
    let licence = lines.iter().take(2).enumerate().find_map(|(number, line)| {
        let (mark, _) = line.split_once("SPDX-License-Identifier: ")?;
        Some((number, mark.to_owned()))
    });
    if let Some((number, mark)) = licence {
        lines.insert(number + 1, format!("{mark}{ORIGIN}"));
    }
    lines.join("\n")
}

struct Writer<'a> {
    tree: &'a mut FileTree,
    renderer: &'a Renderer,
    common: Value,
}

impl Writer<'_> {
    fn put(&mut self, path: &str, text: &str, mode: u16) {
        let path = format!("{FORMULA_ROOT}/{FORMULA}/{path}");
        self.tree.file(&path, with_origin(text), mode, Role::Plain);
    }

    fn render(&self, template: &str, context: Value) -> String {
        let common = self.common.clone();
        self.renderer
            .render(template, context! { ..context, ..common })
    }

    fn state(&mut self, name: &str, template: &str, context: Value) {
        let text = self.render(template, context);
        self.put(&format!("{name}.sls"), &text, 0o644);
    }

    /// The top file that applies `sls` to these hosts.
    fn top(&mut self, name: &str, sls: &str, hosts: &[&str]) {
        let qubes: Vec<_> = hosts
            .iter()
            .copied()
            .filter(|host| *host != "dom0")
            .collect();
        let state = match name {
            WHOLE => FORMULA.to_owned(),
            part => format!("{FORMULA}.{part}"),
        };
        let context = context! { hosts => Serde(hosts), sls, state, targets => qubes.join(",") };
        let text = self.render("salt/openclaw/top.top", context);
        self.put(&format!("{name}.top"), &text, 0o644);
    }

    /// A state that includes each host's own part, and its top file.
    fn chosen(&mut self, part: &str, purpose: &str, hosts: &[&str]) {
        let qubes: Vec<_> = hosts
            .iter()
            .copied()
            .filter(|host| *host != "dom0")
            .collect();
        let context = context! {
            part, purpose,
            hosts => Serde(hosts),
            with_dom0 => hosts.contains(&"dom0"),
            targets => qubes.join(","),
        };
        self.state(part, "salt/openclaw/chosen.sls", context);
        self.top(part, &format!("{FORMULA}.{part}"), hosts);
    }

    fn dom0_files(&mut self, all: &DeploymentView, context: Value) {
        let mut files = vec![
            ("etc/qubes/policy.d/32-openclaw.policy", 0o644),
            ("etc/qubes/policy.d/50-openclaw.policy", 0o644),
        ];
        if !all.clients.is_empty() {
            files.push(("var/lib/openclaw-formula/clients", 0o644));
        }
        if all.inter_qube {
            files.push(("etc/qubes/policy.d/31-openclaw-inter-vm.policy", 0o644));
        }
        if all.has_tunnels() {
            files.extend([
                ("etc/qubes/openclaw.conf", 0o644),
                ("etc/systemd/system/openclaw-tunnel@.service", 0o644),
                ("usr/local/bin/openclaw-dashboard", 0o755),
            ]);
            self.put(&format!("dom0/files/{FORWARDER}"), forwarder(), 0o755);
        }
        let context = context! { ..context, ..Value::from(Serde(PolicyView::new(all))) };
        for (path, mode) in files {
            let text = self.render(&format!("templates/dom0/{path}"), context.clone());
            self.put(&format!("dom0/files/{path}"), &text, mode);
        }
    }

    /// The files that are the same in every server. `provided` are the commands of providers.
    fn common_files(&mut self, provided: BTreeSet<&str>, examples: &[(String, String)]) {
        let verbatim = [
            ("etc/qubes-rpc/qubes.ConnectTCP", 0o755),
            ("usr/local/lib/openclaw/install", 0o755),
            ("usr/local/lib/openclaw/package.json", 0o644),
            ("usr/local/lib/openclaw/package-lock.json", 0o644),
        ];
        for (path, mode) in verbatim {
            let text = embedded(&format!("templates/qube/{path}"));
            self.put(&format!("{FILES}/{path}"), text, mode);
        }
        for command in COMMANDS.into_iter().chain(provided) {
            let path = format!("usr/local/bin/{command}");
            let text = self.render(&format!("templates/qube/{path}"), context! {});
            self.put(&format!("{FILES}/{path}"), &text, 0o755);
        }
        for module in MODULES {
            let path = format!("usr/local/lib/openclaw/{module}");
            let text = self.render(&format!("templates/qube/{path}"), context! {});
            self.put(&format!("{FILES}/{path}"), &text, 0o644);
        }
        for (name, text) in examples {
            let path = format!("{FILES}/usr/local/share/openclaw/examples/{name}");
            self.put(&path, text, 0o644);
        }
    }

    fn server(&mut self, server: &ServerView) {
        let name = server.name;
        let context = context! { server => Serde(server) };
        for part in ["install", "configure", "clean"] {
            let template = format!("salt/openclaw/server/{part}.sls");
            let text = self.render(&template, context.clone());
            // A fixed token is for root alone.
            let secret = part == "configure" && server.token.is_some();
            let mode = if secret { 0o600 } else { 0o644 };
            self.put(&format!("{name}/{part}.sls"), &text, mode);
        }
        for file in &server.files {
            let path = format!("home/user/{}", file.path);
            let text = self.render(&format!("templates/qube/{path}"), context.clone());
            self.put(&format!("{name}/files/{path}"), &text, 0o644);
        }
        let path = "usr/local/bin/openclaw-dashboard";
        let text = self.render(&format!("templates/qube/{path}"), context.clone());
        self.put(&format!("{name}/files/{path}"), &text, 0o755);
        if server.boot_script {
            let path = "rw/config/rc.local.d/50-openclaw.rc";
            let text = self.render(&format!("templates/qube/{path}"), context);
            self.put(&format!("{name}/files/{path}"), &text, 0o755);
        }
    }

    fn client(&mut self, client: &ClientView) {
        let name = client.name;
        let context = context! { client => Serde(client) };
        for part in ["client", "clean"] {
            let template = format!("salt/openclaw/client/{part}.sls");
            self.state(&format!("{name}/{part}"), &template, context.clone());
        }
        self.put(&format!("{name}/files/{FORWARDER}"), forwarder(), 0o755);
        let units = "home/user/.config/systemd/user";
        let applications = "home/user/.local/share/applications";
        for forward in &client.forwards {
            let mut files = vec![
                (units, "openclaw-client", ".socket"),
                (units, "openclaw-client", ".service"),
            ];
            if forward.dashboard {
                files.push((applications, "openclaw-dashboard", ".desktop"));
            }
            for (folder, stem, suffix) in files {
                let template = format!("templates/client/{folder}/{stem}{suffix}");
                let text = self.render(&template, Value::from(Serde(forward)));
                let file = format!("{name}/files/{folder}/{stem}-{}{suffix}", forward.port);
                self.put(&file, &text, 0o644);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ManagedQube, ProviderSet, Server};
    use crate::plan::Plan;

    /// A deployment that has every part: two servers, one of which has a client.
    fn deployment() -> Deployment {
        let input = crate::config::Input {
            file: Some((
                "openclaw.toml".to_owned(),
                "[[server]]\nname = \"ai\"\nclients = [\"work\"]\ninter-qube = \"ask\"\n\
                 [[server]]\nname = \"net\"\nmode = \"network\"\nip = \"192.168.1.9\"\n\
                 tls = true\nclass = \"app\"\nprovider = [\"cursor\", \"ollama\"]\n"
                    .to_owned(),
            )),
            ..Default::default()
        };
        crate::config::read(&input).deployment.unwrap()
    }

    /// No qube can have the id of a state for its name, nor the name of a folder of the formula:
    /// Salt would take one for the other.
    #[test]
    fn no_qube_is_named_like_a_state_or_a_folder() {
        let plan = Plan::new(&deployment());
        let root = format!("{FORMULA_ROOT}/{FORMULA}/");
        let qubes = ["ai", "net", "work", "openclaw"];
        let mut tried = 0;
        for (path, entry) in plan.dom0.iter() {
            let Some(below) = path.as_str().strip_prefix(&root) else {
                continue;
            };
            let mut names: Vec<_> = below
                .split_once('/')
                .map(|(folder, _)| folder)
                .into_iter()
                .collect();
            let bytes = entry.bytes().unwrap_or_default();
            let text = std::str::from_utf8(bytes).unwrap();
            if below.ends_with(".sls") {
                names.extend(text.lines().filter_map(|line| {
                    let id = line.strip_suffix(':')?;
                    id.starts_with(|c: char| c.is_ascii_alphabetic())
                        .then_some(id)
                }));
            }
            for name in names {
                let is_refused = name.parse::<ManagedQube>().is_err();
                assert!(
                    is_refused || qubes.contains(&name) || name == "include",
                    "{name}"
                );
                tried += usize::from(is_refused);
            }
        }
        assert!(tried > 80, "{tried}");
        assert!(
            Server::standard(ProviderSet::default())
                .name
                .as_str()
                .parse::<ManagedQube>()
                .is_ok()
        );
    }
}
