// SPDX-License-Identifier: MIT OR Apache-2.0

//! The policy means what the configuration says: every call between the qubes of a machine, decided
//! by the generated files among those that Qubes and a user may have, against what the
//! configuration means; and `plan --who-can-reach` prints just that.
//!
//! The meaning is worked out here from the configuration alone. Nothing of the generator, of its
//! templates or of the policy's language is used for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;

use crate::support::configurations::{OPEN, check, read, valid};
use crate::support::{examples, repository, stdout, tool};
use openclaw_formula::model::{Deployment, InterQube, Server};
use openclaw_formula::plan::Plan;
use openclaw_formula::tree::Host;
use serde::Deserialize;
use serde_json::{Value, json};

/// What the machine has beside servers and clients. A dot is in no name that the formula manages.
const TEMPLATE: &str = "x.template";
const UNTAGGED: &str = "x.vault";
const STANDALONE: &str = "x.lab";
const REMOTE: &str = "x.remote";
const BASE_OF_DISPOSABLES: &str = "x.dvm";
/// A disposable that an untagged qube or a client made, of the base without tags.
const DISPOSABLE: &str = "x.disp1";
/// A qube that carries every client tag by hand, and gives disposables its tags.
const BASE_OF_CLIENTS: &str = "x.client-dvm";
/// A disposable made from it, and so with its tags.
const DISPOSABLE_OF_CLIENT: &str = "x.disp2";
/// A disposable made from the first server, and so with its tags.
const DISPOSABLE_OF_SERVER: &str = "x.disp3";
/// What Salt manages the first server from.
const MANAGEMENT: &str = "x.disp-mgmt";

const CONNECTING: &str = "qubes.ConnectTCP";
const SHELLS: [&str; 3] = ["qubes.VMShell", "qubes.VMExec", "qubes.VMExecGUI"];
const ROOT_SHELLS: [&str; 2] = ["qubes.VMRootShell", "qubes.VMRootExec"];
/// What runs a command that it is told, beside those.
const COMMANDS: [&str; 5] = [
    "qubes.SaltLinuxVM",
    "qubes.Backup",
    "qubes.Restore",
    "qubes.RegisterBackupLocation",
    "qubes.RestoreById",
];
/// What dom0 alone may attach to a qube.
const ATTACHING: [&str; 4] = [
    "qubes.USBAttach",
    "qubes.USBDetach",
    "qvc.WebcamAttach",
    "qvc.WebcamDetach",
];
/// What no agent's qube may call, beside those.
const NOT_FOR_AGENTS: [&str; 13] = [
    "qubes.PdfConvert",
    "qubes.GetImageRGBA",
    "qubes.InputKeyboard",
    "qubes.InputMouse",
    "qubes.InputTablet",
    "qubes.USB",
    "qvc.Webcam",
    "qvc.ScreenShare",
    "qubes.AudioInputEnable",
    "qubes.AudioInputDisable",
    "qubes.ShowInTerminal",
    "qubes.TemplateSearch",
    "qubes.TemplateDownload",
];
/// What dom0 takes from every qube.
const IN_DOM0: [&str; 5] = [
    "qubes.FeaturesRequest",
    "qubes.NotifyUpdates",
    "qubes.SyncAppMenus",
    "qubes.WindowIconUpdater",
    "qubes.GetRandomizedTime",
];
/// What else could be asked of dom0, one by a name that nobody knows.
const OF_DOM0: [&str; 4] = [
    "admin.vm.List",
    "policy.Replace",
    "qubes.ReceiveUpdates",
    "qubes.OfTomorrow",
];
/// What leads a server without a network to one.
const WAYS_OUT: [&str; 3] = ["qubes.OpenURL", "qubes.OpenInVM", "qubes.UpdatesProxy"];
const COPYING: &str = "qubes.Filecopy";
const STARTING: &str = "qubes.StartApp";

/// Whether a service gives a connection, a shell or a command.
fn takes(service: &str) -> bool {
    service == CONNECTING
        || SHELLS.contains(&service)
        || ROOT_SHELLS.contains(&service)
        || COMMANDS.contains(&service)
        || ATTACHING.contains(&service)
}

/// Whether no agent's qube may call a service anywhere.
fn is_for_no_agent(service: &str) -> bool {
    takes(service) || service == STARTING || NOT_FOR_AGENTS.contains(&service)
}

/// The rules of others on the same machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    /// Qubes' own defaults alone.
    Defaults,
    /// A user's rule in a file after the generated ones, that lets every qube do everything, in
    /// dom0 too.
    AllowsAll,
    /// The same after a question, and not in dom0.
    Asks,
    /// What qubesctl writes while it manages the first server.
    Manages,
    /// A user's rule in 30-user.policy, that denies everything between qubes.
    DeniesAll,
    /// A rule as old as R4.1, which 35-compat.policy reads, that lets every qube do everything in
    /// every other one.
    Legacy,
    /// What Qubes' settings program writes, with all that can be opened there.
    Settings,
}

/// Where the settings program sends updates.
const UPDATES: &str = STANDALONE;

impl Others {
    /// Their files, beside that of Qubes' defaults.
    fn files(self, first: &str) -> Vec<(&'static str, String)> {
        let rules = |name, rules: &[&str]| (name, rules.join("\n") + "\n");
        match self {
            Others::Defaults => Vec::new(),
            Others::AllowsAll => vec![rules("60-user.policy", &["* * * * allow"])],
            Others::Asks => vec![rules("60-user.policy", &["* * @anyvm @anyvm ask"])],
            // `qrexec_policy` of qubes-mgmt-salt's `qubessalt/__init__.py`.
            Others::Manages => vec![(
                "30-qubesctl-salt.policy",
                ["qubes.Filecopy", "qubes.VMShell", "qubes.VMRootShell"]
                    .map(|service| format!("{service} * {MANAGEMENT} {first} allow user=root\n"))
                    .concat(),
            )],
            Others::DeniesAll => vec![rules("30-user.policy", &["* * @anyvm @anyvm deny"])],
            Others::Legacy => vec![rules("35-compat.policy", &["* * @anyvm @anyvm allow"])],
            // `qubes_config/global_config` of qubes-desktop-linux-manager.
            Others::Settings => vec![
                rules(
                    "50-config-filecopy.policy",
                    &[
                        "qubes.Filecopy * @anyvm @adminvm deny",
                        "qubes.Filecopy * @anyvm @anyvm allow",
                    ],
                ),
                rules(
                    "50-config-openinvm.policy",
                    &["qubes.OpenInVM * @anyvm @dispvm allow target=@dispvm:x.dvm"],
                ),
                rules(
                    "50-config-openurl.policy",
                    &["qubes.OpenURL * @anyvm @dispvm allow target=@dispvm:x.dvm"],
                ),
                rules(
                    "50-config-updates.policy",
                    &["qubes.UpdatesProxy * @anyvm @default allow target=x.lab"],
                ),
                rules(
                    "50-config-input.policy",
                    &["qubes.InputKeyboard * @anyvm @adminvm allow"],
                ),
            ],
        }
    }

    /// Where a call is sent instead.
    fn sends<'a>(self, service: &str, target: &'a str) -> &'a str {
        match (self, service, target) {
            (Others::Settings, "qubes.OpenInVM" | "qubes.OpenURL", "@dispvm") => "@dispvm:x.dvm",
            (Others::Settings, "qubes.UpdatesProxy", "@default") => UPDATES,
            _ => target,
        }
    }
}

/// What became of the servers' tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tags {
    /// They are as the formula sets them.
    Kept,
    /// Somebody took from each server the tags that say what it is.
    Lost,
    /// Somebody made each server, and a disposable of the first one, a client of the other ones, and
    /// gave each server disposables.
    Astray,
}

/// The machines that the calls are tried on.
const SITUATIONS: [(Tags, Others); 11] = [
    (Tags::Kept, Others::Defaults),
    (Tags::Kept, Others::AllowsAll),
    (Tags::Kept, Others::Asks),
    (Tags::Kept, Others::Manages),
    (Tags::Kept, Others::DeniesAll),
    (Tags::Kept, Others::Legacy),
    (Tags::Kept, Others::Settings),
    (Tags::Lost, Others::AllowsAll),
    (Tags::Astray, Others::Defaults),
    (Tags::Astray, Others::AllowsAll),
    (Tags::Astray, Others::Settings),
];

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Allow,
    /// dom0 asks, and may offer other targets.
    Ask,
    /// dom0 asks for this target alone.
    AskForIt,
    Deny,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Action::Allow => "allow",
            Action::Ask | Action::AskForIt => "ask",
            Action::Deny => "deny",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Call<'a> {
    source: &'a str,
    target: &'a str,
    /// As the caller writes it, with its argument.
    service: &'a str,
}

impl<'a> Call<'a> {
    fn name(&self) -> &'a str {
        self.service.split('+').next().unwrap()
    }
}

/// The configuration on a machine.
struct Meaning<'a> {
    deployment: &'a Deployment,
    tags: Tags,
    others: Others,
}

impl Meaning<'_> {
    fn first(&self) -> &str {
        self.deployment.servers[0].name.as_str()
    }

    fn server(&self, name: &str) -> Option<&Server> {
        let servers = &self.deployment.servers;
        servers.iter().find(|server| server.name.as_str() == name)
    }

    /// Whether an agent rules it.
    fn is_agents(&self, name: &str) -> bool {
        self.server(name).is_some() || name == DISPOSABLE_OF_SERVER
    }

    /// Whether an agent would rule a target; what is made from a server without its tag is not
    /// known to be one.
    fn is_agents_target(&self, target: &str) -> bool {
        match target.strip_prefix("@dispvm:") {
            Some(name) => self.is_agents(name) && self.tags != Tags::Lost,
            None => self.is_agents(target),
        }
    }

    /// Whether an agent rules it, and it has no network.
    fn is_offline(&self, name: &str) -> bool {
        let server = match name {
            DISPOSABLE_OF_SERVER => Some(&self.deployment.servers[0]),
            _ => self.server(name),
        };
        server.is_some_and(|server| server.netvm.is_none())
    }

    fn has_tag(&self, source: &str, server: &Server) -> bool {
        is_client(server, source)
            || [BASE_OF_CLIENTS, DISPOSABLE_OF_CLIENT].contains(&source)
            || self.tags == Tags::Astray && self.is_agents(source) && source != server.name.as_str()
    }

    fn of(&self, call: &Call) -> Action {
        let (source, service) = (call.source, call.name());
        if service.is_empty() {
            return Action::Deny;
        }
        let target = match call.target.strip_prefix("@dispvm:") {
            // Not made for disposables.
            Some(name) if name != BASE_OF_DISPOSABLES && name != self.first() => {
                return Action::Deny;
            }
            Some(_) => call.target,
            // A target that there is not is none.
            None if call.target.starts_with("nobody") => "@default",
            None if call.target == "@adminvm" => "dom0",
            None => call.target,
        };
        if self.others == Others::DeniesAll && target != "dom0" {
            return Action::Deny;
        }
        let opens = SHELLS.contains(&service) || service == COPYING;
        if let Some(server) = self.server(source)
            && is_client(server, target)
            && opens
        {
            match server.inter_qube_to_clients {
                InterQube::Off => {}
                InterQube::Ask => return Action::AskForIt,
                InterQube::Allow => return Action::Allow,
            }
        }
        if self.others == Others::Manages
            && source == MANAGEMENT
            && target == self.first()
            && [COPYING, SHELLS[0], ROOT_SHELLS[0]].contains(&service)
        {
            return Action::Allow;
        }
        if self.is_agents(source) && is_for_no_agent(service) {
            return Action::Deny;
        }
        if self.is_offline(source) && WAYS_OUT.contains(&service) {
            return Action::Deny;
        }
        let known = self.tags != Tags::Lost || self.server(source).is_none();
        let opens_file = ["qubes.OpenURL", "qubes.OpenInVM"].contains(&service);
        if self.is_agents(source) && known && opens_file && target == "@dispvm" {
            return Action::Deny;
        }
        if self.is_agents(source) && target == "dom0" {
            // A server without its tag is told nothing good.
            return if known && IN_DOM0.contains(&service) {
                Action::Allow
            } else {
                Action::Deny
            };
        }
        if let Some(server) = self.server(target)
            && self.has_tag(source, server)
        {
            if serves(server, call.service) {
                return Action::Allow;
            }
            match server.inter_qube {
                InterQube::Allow if opens && is_client(server, source) => return Action::Allow,
                InterQube::Ask | InterQube::Allow if opens => return Action::AskForIt,
                _ => {}
            }
        }
        if takes(service) && self.is_agents_target(target) {
            return Action::Deny;
        }
        self.of_others(source, target, service)
    }

    /// What is decided where the configuration says nothing.
    fn of_others(&self, source: &str, target: &str, service: &str) -> Action {
        let broad = match self.others {
            Others::AllowsAll => Some(Action::Allow),
            Others::Asks if target != "dom0" => Some(Action::Ask),
            Others::Legacy if target != "dom0" => Some(Action::Allow),
            Others::Settings => match (service, target) {
                (COPYING, "dom0") => Some(Action::Deny),
                (COPYING, _) => Some(Action::Allow),
                ("qubes.OpenInVM" | "qubes.OpenURL", "@dispvm")
                | ("qubes.UpdatesProxy", "@default")
                | ("qubes.InputKeyboard", "dom0") => Some(Action::Allow),
                _ => None,
            },
            _ => None,
        };
        // The defaults of Qubes.
        let action = broad.unwrap_or(match (service, target) {
            ("qvc.ScreenShare" | "qvc.Webcam", "dom0") | ("qvc.Webcam", "@default") => Action::Ask,
            ("qubes.ReceiveUpdates", "dom0") => Action::Allow,
            (_, "dom0") if IN_DOM0.contains(&service) => Action::Allow,
            (_, "dom0") => Action::Deny,
            (COPYING, _) => Action::Ask,
            ("qubes.PdfConvert", "@dispvm") => Action::Allow,
            (
                "qubes.OpenInVM" | "qubes.OpenURL" | STARTING | "qubes.GetImageRGBA"
                | "qvc.ScreenShare",
                "@dispvm",
            ) => Action::Allow,
            (
                "qubes.OpenInVM" | "qubes.OpenURL" | STARTING | "qubes.GetImageRGBA"
                | "qvc.ScreenShare",
                _,
            ) => Action::Ask,
            (shell, "@dispvm") if SHELLS.contains(&shell) => Action::Allow,
            _ => Action::Deny,
        });
        // No call goes nowhere, to the qube that it comes from, or to a disposable of a qube that has
        // none.
        let target = self.others.sends(service, target);
        let has_disposables = self.server(source).is_none() || self.tags == Tags::Astray;
        let nowhere =
            target == "@default" || target == source || target == "@dispvm" && !has_disposables;
        if action == Action::Allow && nowhere {
            return Action::Deny;
        }
        action
    }
}

/// Whether the configuration names a qube as a client.
fn is_client(server: &Server, name: &str) -> bool {
    server.clients.iter().any(|client| client.as_str() == name)
}

/// Whether it is a call for one of the ports that the server's clients have, to the letter.
fn serves(server: &Server, service: &str) -> bool {
    let has_proxy = server
        .providers
        .iter()
        .any(|provider| provider.name == "cursor");
    let exposed = ["clients", "network"].contains(&server.expose_proxy.word());
    service == format!("qubes.ConnectTCP+{}", server.ports.gateway)
        || has_proxy && exposed && service == format!("qubes.ConnectTCP+{}", server.ports.proxy)
}

/// The machine, as the stand-in has it.
fn machine(deployment: &Deployment, state: Tags) -> Value {
    let with_default =
        |class: &str, tags: &[&str], makes_disposables: bool, disposables: Option<&str>| {
            json!({
                "class": class, "tags": tags, "running": true, "features": {},
                "prefs": {
                    "template_for_dispvms": makes_disposables,
                    "default_dispvm": disposables,
                },
            })
        };
    let qube = |class: &str, tags: &[&str], makes_disposables: bool| {
        with_default(class, tags, makes_disposables, Some(BASE_OF_DISPOSABLES))
    };
    let servers = &deployment.servers;
    let client_tags: Vec<_> = servers
        .iter()
        .map(|server| server.client_tag.as_str())
        .collect();
    let mut qubes = serde_json::Map::new();
    let mut add = |name: &str, qube| {
        assert!(
            qubes.insert(name.to_owned(), qube).is_none(),
            "{name} twice"
        );
    };
    add("dom0", qube("AdminVM", &[], false));
    add(TEMPLATE, qube("TemplateVM", &[], false));
    add(UNTAGGED, qube("AppVM", &["created-by-dom0"], false));
    add(STANDALONE, qube("StandaloneVM", &[], false));
    add(REMOTE, qube("RemoteVM", &[], false));
    add(BASE_OF_DISPOSABLES, qube("AppVM", &[], true));
    add(DISPOSABLE, qube("DispVM", &[], false));
    add(BASE_OF_CLIENTS, qube("AppVM", &client_tags, false));
    add(DISPOSABLE_OF_CLIENT, qube("DispVM", &client_tags, false));
    add(MANAGEMENT, qube("DispVM", &[], false));
    for (number, server) in servers.iter().enumerate() {
        let kinds = [
            Some("openclaw-server"),
            server.netvm.is_none().then_some("openclaw-no-network"),
        ];
        let kinds: Vec<_> = kinds.into_iter().flatten().collect();
        let own: Vec<_> = kinds
            .iter()
            .copied()
            .chain(server.tags.iter().map(|tag| tag.as_str()))
            .collect();
        let of_clients = |but: Option<&str>| -> Vec<&str> {
            let tags = client_tags.iter().copied();
            tags.filter(|tag| Some(*tag) != but && state == Tags::Astray)
                .collect()
        };
        if number == 0 {
            let tags: Vec<_> = own.iter().copied().chain(of_clients(None)).collect();
            // A disposable makes others from what it is made from.
            let name = Some(server.name.as_str());
            let disposable = with_default("DispVM", &tags, false, name);
            add(DISPOSABLE_OF_SERVER, disposable);
        }
        let lost = if state == Tags::Lost { kinds.len() } else { 0 };
        let kept = own.iter().copied().skip(lost);
        let tags: Vec<_> = kept
            .chain(of_clients(Some(server.client_tag.as_str())))
            .collect();
        let class = server.class.qubes_name();
        let disposables = (state == Tags::Astray).then_some(BASE_OF_DISPOSABLES);
        let server_qube = with_default(class, &tags, number == 0, disposables);
        add(server.name.as_str(), server_qube);
    }
    let mut clients = BTreeMap::<_, BTreeSet<_>>::new();
    for server in servers {
        for client in &server.clients {
            let tags = clients.entry(client.as_str()).or_default();
            tags.insert(server.client_tag.as_str());
        }
    }
    for (client, tags) in clients {
        add(
            client,
            qube("AppVM", &tags.into_iter().collect::<Vec<_>>(), false),
        );
    }
    json!({ "default_dispvm": BASE_OF_DISPOSABLES, "qubes": qubes })
}

/// Every qube, and every way to name a target, with everything that one may ask of the other.
struct Table {
    sources: Vec<String>,
    targets: Vec<String>,
    services: Vec<String>,
}

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Every service.
    Everything,
    /// One of each kind of service.
    Kinds,
}

impl Table {
    fn new(deployment: &Deployment, machine: &Value, asked: Asked) -> Self {
        let qubes = machine["qubes"].as_object().unwrap().keys();
        let first = &deployment.servers[0];
        let special = [
            "@default".to_owned(),
            "@adminvm".to_owned(),
            "@dispvm".to_owned(),
            format!("@dispvm:{BASE_OF_DISPOSABLES}"),
            format!("@dispvm:{}", first.name),
            format!("@dispvm:{UNTAGGED}"),
            "nobody".to_owned(),
            "nobody;id".to_owned(),
        ];
        // Qubes asks no policy for calls from dom0.
        let sources = qubes.clone().filter(|name| *name != "dom0");
        let mut ports = BTreeSet::from([String::new(), "22".to_owned()]);
        for server in &deployment.servers {
            ports.insert(server.ports.gateway.to_string());
            ports.insert(server.ports.proxy.to_string());
        }
        let port = first.ports.gateway;
        let hostile = [
            format!("0{port}"),
            // The same port to a program that forgets what is over 16 bits.
            (u32::from(port.number()) + 0x1_0000).to_string(),
            format!("{port};id"),
            format!("{port} {port}"),
            format!("{port}+{port}"),
            format!("{port}\n"),
            format!("-{port}"),
            format!("../{port}"),
            "../x".to_owned(),
            "*".to_owned(),
            // The same digits, in another script.
            port.to_string()
                .chars()
                .map(|digit| char::from_u32(digit as u32 - '0' as u32 + '０' as u32).unwrap())
                .collect(),
        ];
        let with = |argument: &String| format!("{CONNECTING}+{argument}");
        let some = |services: &'static [&'static str]| match asked {
            Asked::Everything => services.iter(),
            Asked::Kinds => services[..1].iter(),
        };
        let hostile = match asked {
            Asked::Everything => hostile.iter(),
            Asked::Kinds => hostile[..2].iter(),
        };
        let services = SHELLS
            .iter()
            .chain(some(&ROOT_SHELLS))
            .chain(some(&COMMANDS))
            .chain(some(&ATTACHING))
            .chain(some(&NOT_FOR_AGENTS))
            .chain(some(&WAYS_OUT))
            .chain(some(&IN_DOM0))
            .chain(some(&OF_DOM0))
            .chain(&[COPYING, CONNECTING])
            .map(|service| (*service).to_owned())
            .chain(ports.iter().chain(hostile).map(with))
            .chain(
                [
                    "qubes.VMShell+WaitForSession",
                    "qubes.VMExec+id",
                    "qubes.Filecopy+allow-all-names",
                    "qubes.StartApp+xterm",
                    // No service of this name is known, and none without a name.
                    "qubes.ConnectTCP;id+22",
                    "+22",
                    "",
                ]
                .map(str::to_owned),
            );
        Table {
            sources: sources.cloned().collect(),
            targets: qubes.cloned().chain(special).collect(),
            services: services.collect(),
        }
    }

    fn calls(&self) -> impl Iterator<Item = Call<'_>> {
        self.sources.iter().flat_map(move |source| {
            self.targets.iter().flat_map(move |target| {
                self.services.iter().map(move |service| Call {
                    source,
                    target,
                    service,
                })
            })
        })
    }
}

/// A decision: the action, the target, the targets that a dialog offers, and the one that it has
/// chosen already.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Decision(String, Option<String>, Vec<String>, Option<String>);

/// What the policy files in a folder decide.
#[derive(Deserialize)]
struct Decided {
    decisions: Vec<Decision>,
    calls: Vec<usize>,
    rules: Vec<String>,
    needed: Vec<String>,
}

impl Decided {
    fn iter(&self) -> impl Iterator<Item = &Decision> {
        self.calls.iter().map(|number| &self.decisions[*number])
    }
}

/// Policy files by name.
type Files = BTreeMap<String, String>;

/// Decides, once for the same files and calls: many examples have the same.
#[derive(Default)]
struct Evaluator {
    known: HashMap<(Files, String), Rc<Decided>>,
    /// How many calls the policies were asked for.
    count: usize,
}

impl Evaluator {
    fn decide(&mut self, files: &Files, machine: &Value, table: &Table) -> Rc<Decided> {
        let input = json!({
            "machine": machine,
            "sources": table.sources,
            "targets": table.targets,
            "services": table.services,
        })
        .to_string();
        let key = (files.clone(), input);
        if let Some(decided) = self.known.get(&key) {
            return decided.clone();
        }
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let decided = Rc::new(evaluate(folder.path(), &key.1));
        assert_eq!(decided.calls.len(), table.calls().count());
        self.count += decided.calls.len();
        self.known.insert(key, decided.clone());
        decided
    }
}

fn evaluate(folder: &Path, input: &str) -> Decided {
    let mut python = Command::new("python3")
        .arg("-B")
        .arg(repository().join("tests/support/policy_calls.py"))
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It prints when it has read everything.
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The generated policy files.
fn generated(deployment: &Deployment) -> Files {
    let plan = Plan::new(deployment);
    let below = "/srv/formulas/base/openclaw-formula/openclaw/dom0/files/etc/qubes/policy.d/";
    let files: Files = plan
        .tree(Host::Dom0)
        .iter()
        .filter_map(|(path, entry)| {
            let name = path.as_str().strip_prefix(below)?;
            let text = String::from_utf8(entry.bytes().unwrap().to_vec()).unwrap();
            Some((name.to_owned(), text))
        })
        .collect();
    assert!(!files.is_empty());
    files
}

/// With those of others.
fn among_others(mut files: Files, deployment: &Deployment, others: Others) -> Files {
    let defaults = "tests/standin/root/dom0/etc/qubes/policy.d/90-default.policy";
    let text = fs::read_to_string(repository().join(defaults)).unwrap();
    files.insert("90-default.policy".to_owned(), text);
    for (name, text) in others.files(deployment.servers[0].name.as_str()) {
        files.insert(name.to_owned(), text);
    }
    files
}

/// The name of the file and the number of the line.
fn line(place: &str) -> &str {
    place.rsplit('/').next().unwrap()
}

/// Asks for every call on every machine.
fn prove(evaluator: &mut Evaluator, config: &str, asked: Asked) {
    let deployment = &read(config).deployment.unwrap();
    let ours = generated(deployment);
    let (mut rules, mut needed) = (BTreeSet::new(), BTreeSet::new());
    for (tags, others) in SITUATIONS {
        let machine = machine(deployment, tags);
        let table = Table::new(deployment, &machine, asked);
        let files = among_others(ours.clone(), deployment, others);
        let decided = evaluator.decide(&files, &machine, &table);
        let meaning = Meaning {
            deployment,
            tags,
            others,
        };
        for (call, decision) in table.calls().zip(decided.iter()) {
            assert_means(&meaning, &call, decision, config);
        }
        let all = decided.rules.iter().map(|place| line(place));
        let was_asked = |line: &&str| is_asked(&ours, line, &table);
        rules.extend(all.filter(was_asked).map(str::to_owned));
        needed.extend(decided.needed.iter().map(|place| line(place).to_owned()));
        if tags == Tags::Kept && [Others::Defaults, Others::AllowsAll].contains(&others) {
            let files = among_others(Files::new(), deployment, others);
            let without = evaluator.decide(&files, &machine, &table);
            assert_printed(config, deployment, &table, &decided, &without);
        }
    }
    // Without any one of the rules, some call would be decided otherwise.
    let dead: Vec<_> = rules.difference(&needed).collect();
    assert!(dead.is_empty(), "dead rules: {dead:?}\n{ours:#?}");
}

/// Whether a line is one of the generated rules, and for a service that calls are tried of.
fn is_asked(ours: &Files, line: &str, table: &Table) -> bool {
    let (file, number) = line.split_once(':').unwrap();
    let Some(text) = ours.get(file) else {
        return false;
    };
    let number: usize = number.parse().unwrap();
    let rule = text.lines().nth(number - 1).unwrap();
    let name = rule.split_whitespace().next().unwrap();
    name == "*"
        || table
            .services
            .iter()
            .any(|service| service.split('+').next() == Some(name))
}

#[track_caller]
fn assert_means(meaning: &Meaning, call: &Call, decision: &Decision, config: &str) {
    let Decision(action, target, offered, preset) = decision;
    let (tags, others) = (meaning.tags, meaning.others);
    let meant = meaning.of(call);
    assert_eq!(
        action,
        meant.word(),
        "{config}\n{tags:?}, {others:?}: {call:?}"
    );
    match meant {
        // Nobody is led elsewhere than asked for.
        Action::Allow if call.target != "@dispvm" => {
            let wanted = match call.target {
                "@adminvm" => "dom0",
                nobody if nobody.starts_with("nobody") => others.sends(call.name(), "@default"),
                target => others.sends(call.name(), target),
            };
            assert_eq!(target.as_deref(), Some(wanted), "{call:?}");
        }
        // What is denied is not offered in a dialog for another target either.
        Action::Ask => {
            for qube in offered {
                let chosen = Call {
                    target: qube,
                    ..*call
                };
                if meaning.is_agents_target(qube) {
                    assert_ne!(
                        meaning.of(&chosen),
                        Action::Deny,
                        "{config}\n{tags:?}, {others:?}: {call:?} offers {qube}"
                    );
                }
            }
        }
        Action::AskForIt => {
            assert_eq!(offered, &[call.target], "{call:?}");
            assert_eq!(preset.as_deref(), Some(call.target), "{call:?}");
        }
        _ => {}
    }
}

/// The row of a server's printed table that another qube is in.
fn row_of<'a>(table: &'a Value, deployment: &Deployment, other: &str) -> &'a Value {
    let rows = table.as_array().unwrap();
    let row = |who: &str| rows.iter().find(|row| row["who"] == who);
    let base = other.trim_start_matches("@dispvm:");
    let mut servers = deployment.servers.iter();
    let found = if ["dom0", "@adminvm"].contains(&other) {
        row("dom0")
    } else if base == DISPOSABLE_OF_SERVER || servers.any(|server| server.name.as_str() == base) {
        row("agents")
    } else {
        let by_hand = [BASE_OF_CLIENTS, DISPOSABLE_OF_CLIENT].contains(&other);
        rows.iter()
            .find(|row| row["who"] == "client" && row["name"] == other)
            .or_else(|| row("tagged").filter(|_| by_hand))
            .or_else(|| row("others"))
    };
    &found.unwrap()["decisions"]
}

/// The word that one server's printed tables have for a call from it or to it.
fn word_for<'a>(
    printed: &'a Value,
    deployment: &Deployment,
    number: usize,
    call: &Call,
) -> Option<&'a str> {
    let server = &deployment.servers[number];
    let (name, tables) = (server.name.as_str(), &printed["servers"][number]);
    let is_for = |port| call.service == format!("{CONNECTING}+{port}");
    let (row, port) = match call {
        _ if call.source == call.target => return None,
        Call { target, .. } if *target == name => {
            let row = row_of(&tables["to"], deployment, call.source);
            let port = if is_for(server.ports.gateway) {
                "gateway"
            } else if is_for(server.ports.proxy) && row.get("proxy").is_some() {
                "proxy"
            } else {
                "other-ports"
            };
            (row, port)
        }
        Call { source, .. } if *source == name => {
            (row_of(&tables["from"], deployment, call.target), "any-port")
        }
        _ => return None,
    };
    let column = if call.name() == CONNECTING {
        port
    } else {
        let services = printed["services"].as_object().unwrap().iter();
        let called = json!(call.name());
        let mut columns = services.filter(|(_, of)| of.as_array().unwrap().contains(&called));
        columns.next()?.0
    };
    Some(row[column].as_str().unwrap())
}

/// What is printed holds on the machine, without being asked: a word that leaves it to others is
/// true if the decision is the one without the generated files.
fn assert_printed(
    config: &str,
    deployment: &Deployment,
    table: &Table,
    decided: &Decided,
    without: &Decided,
) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("openclaw.toml");
    fs::write(&path, config).unwrap();
    let print = |more: &[&str]| {
        stdout(
            tool()
                .args(["plan", "--who-can-reach"])
                .args(more)
                .arg(&path),
        )
    };
    let printed = serde_json::from_str(&print(&["--json"])).unwrap();
    let mut count = 0;
    for (call, (decision, without)) in table.calls().zip(decided.iter().zip(without.iter())) {
        for number in 0..deployment.servers.len() {
            let Some(word) = word_for(&printed, deployment, number, &call) else {
                continue;
            };
            let holds = match word {
                "qubes" => decision.0 == without.0,
                word => decision.0 == word,
            };
            assert!(
                holds,
                "{config}\n{call:?} is printed as {word}: {decision:?}"
            );
            count += 1;
        }
    }
    assert!(count > 300, "only {count} calls are printed");
    assert_eq!(cells(&print(&[])), cells_of(&printed));
}

/// The words of the tables in a text, row by row.
fn cells(text: &str) -> Vec<Vec<String>> {
    let is_word = |cell: &&str| ["allow", "ask", "deny", "qubes", "-"].contains(cell);
    text.lines()
        .map(|line| {
            let cells = line
                .split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty());
            cells
                .skip(1)
                .filter(is_word)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|cells| !cells.is_empty())
        .collect()
}

/// The same of the JSON, whose rows lack what cannot be tried.
fn cells_of(json: &Value) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for server in json["servers"].as_array().unwrap() {
        for table in ["to", "from"] {
            let rows = server[table].as_array().unwrap();
            let columns: Vec<_> = rows[0]["decisions"].as_object().unwrap().keys().collect();
            for row in rows {
                let word =
                    |column: &&String| row["decisions"][*column].as_str().unwrap_or("-").to_owned();
                all.push(columns.iter().map(word).collect());
            }
        }
    }
    all
}

/// One without a network, and one with it.
const OFFLINE: &str = r#"[[server]]
name = "offline"
provider = "ollama"
netvm = "none"
clients = ["work"]

[[server]]
name = "online"
ports = { gateway = 18790 }
"#;

#[test]
fn the_policy_of_every_example_means_what_its_configuration_says() {
    let mut evaluator = Evaluator::default();
    for example in examples() {
        let text = fs::read_to_string(repository().join("examples").join(&example)).unwrap();
        prove(&mut evaluator, &text, Asked::Kinds);
    }
    prove(&mut evaluator, OPEN, Asked::Everything);
    prove(&mut evaluator, OFFLINE, Asked::Everything);
    eprintln!("{} calls", evaluator.count);
    assert!(evaluator.count > 100_000, "only {} calls", evaluator.count);
}

#[test]
fn the_policy_of_any_configuration_means_what_it_says() {
    let evaluator = std::cell::RefCell::new(Evaluator::default());
    check(6, valid(), |text| {
        prove(&mut evaluator.borrow_mut(), &text, Asked::Kinds)
    });
    eprintln!("{} calls", evaluator.borrow().count);
}
