// SPDX-License-Identifier: MIT OR Apache-2.0

//! A configuration to begin with: every key, with its meaning and its default.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use super::args::Init;
use super::commands::report;
use super::{Failure, product, story};
use crate::config;
use crate::model::{Deployment, Mode, Os, PackageVersion, Sources};

pub(super) fn run(args: &Init) -> Result<(), Failure> {
    let outcome = config::read(&config::Input {
        file: None,
        options: args.options.clone(),
    });
    report(&outcome);
    let text = write(&outcome.deployment.ok_or(Failure::Input)?);
    if args.file.as_os_str() == "-" {
        return product(&text);
    }
    let shown = args.file.display();
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&args.file)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::BadInput(format!(
                "{shown} is there, and is not replaced\nhelp: name another file, or remove this one"
            )),
            _ => Failure::System(format!("{shown}: {error}")),
        })?;
    file.write_all(text.as_bytes())
        .map_err(|error| Failure::System(format!("{shown}: {error}")))?;
    story(&format!("wrote {shown}"));
    Ok(())
}

/// The text of a file that means this deployment of one server. What is as by default stands in
/// a comment.
fn write(deployment: &Deployment) -> String {
    let server = &deployment.servers[0];
    let default = config::read(&config::Input::default())
        .deployment
        .expect("the defaults are in order");
    let plain = &default.servers[0];
    let quoted = |text: &str| format!("\"{text}\"");
    let list = |items: Vec<&str>| {
        let items: Vec<_> = items.into_iter().map(quoted).collect();
        format!("[{}]", items.join(", "))
    };

    let mut out = String::from(
        "# OpenClaw in qubes: the configuration of openclaw-formula.\n\
         # A line that begins with `# ` and a key shows the default.\n\
         #\n\
         # Check it:  openclaw-formula check openclaw.toml\n\
         # Build it:  openclaw-formula build openclaw.toml --output out\n\n\
         [package]\n\
         # Raise it with each change, so that dnf sees a newer package.\n",
    );
    let package = &deployment.package;
    out.push_str(&format!("release = {}\n", package.release.number()));
    let hash = if *package == PackageVersion::default() {
        "# "
    } else {
        ""
    };
    out.push_str(&format!(
        "{hash}version = \"{}\"\n",
        package.version.as_str()
    ));
    out.push_str("\n# One table for each qube that runs OpenClaw.\n[[server]]\n");
    let mut line = |comment: &str, key: &str, value: String, is_default: bool| {
        for comment in comment.lines() {
            out.push_str(&format!("# {comment}\n"));
        }
        let hash = if is_default { "# " } else { "" };
        out.push_str(&format!("{hash}{key} = {value}\n"));
    };

    line("", "name", quoted(server.name.as_str()), false);
    let class = match server.class {
        crate::model::Class::Standalone => "standalone",
        crate::model::Class::App => "app",
    };
    line(
        "\"standalone\": everything is installed in the qube itself.\n\
         \"app\": its template carries the template package.",
        "class",
        quoted(class),
        server.class == plain.class,
    );
    line("", "template", quoted(server.template.as_str()), false);
    let (os, telling) = (server.os, Os::of_template(&server.template));
    line(
        "\"debian\" or \"fedora\", where the template's name does not tell.",
        "os",
        quoted(match os {
            Os::Debian => "debian",
            Os::Fedora => "fedora",
        }),
        telling.is_some(),
    );
    line(
        "",
        "label",
        quoted(&server.label.to_string()),
        server.label == plain.label,
    );
    let netvm = server.netvm.as_ref().map_or("none", |netvm| netvm.as_str());
    line(
        "The qube that gives it network, or \"none\".",
        "netvm",
        quoted(netvm),
        false,
    );
    let ip = server
        .mode
        .address()
        .map_or("10.137.0.100".to_owned(), |ip| ip.to_string());
    line(
        "A fixed address; without it, Qubes assigns one.",
        "ip",
        quoted(&ip),
        server.mode.address().is_none(),
    );
    line(
        "Whether it starts with the machine.",
        "autostart",
        server.autostart.to_string(),
        server.autostart,
    );
    line(
        "MiB at start, and at most.",
        "memory",
        server.memory.initial().to_string(),
        server.memory == server.providers.memory(),
    );
    line(
        "",
        "max-memory",
        server.memory.max().to_string(),
        server.memory == server.providers.memory(),
    );
    let example = "192.168.1.100"
        .parse()
        .ok()
        .and_then(Sources::around)
        .expect("it is private");
    let usual = server.mode.address().and_then(Sources::around);
    let sources = match &server.mode {
        Mode::Tunnel { .. } => &example,
        Mode::Network { allow_from, .. } => allow_from,
    };
    let (starts, tls) = (server.mode.starts_on_connect(), server.mode.has_tls());
    line(
        "\"tunnel\": reachable over qrexec only, from dom0 and from clients.\n\
         \"network\": from the local network too; needs `ip`, and the network server of Qubes.",
        "mode",
        quoted(server.mode.word()),
        server.mode.is_tunnel(),
    );
    line(
        "In tunnel mode: whether a connection in dom0 starts the qube if it is off.",
        "start-on-connect",
        starts.to_string(),
        !starts,
    );
    let ranges: Vec<_> = sources.iter().map(|range| range.to_string()).collect();
    line(
        "In network mode: from where. By default the private range around `ip`, and other qubes.",
        "allow-from",
        list(ranges.iter().map(String::as_str).collect()),
        server.mode.is_tunnel() || usual.as_ref() == Some(sources),
    );
    line(
        "\"off\", \"clients\" or \"network\": who reaches the cursor proxy. It asks for no password, and\n\
         obeys any web page that is open in a browser there.",
        "expose-proxy",
        quoted(server.expose_proxy.word()),
        server.expose_proxy == plain.expose_proxy,
    );
    line(
        "In network mode: whether the gateway serves https, with a certificate made in the qube.",
        "tls",
        tls.to_string(),
        !tls,
    );
    let providers: Vec<_> = server
        .providers
        .iter()
        .map(|provider| provider.name)
        .collect();
    line(
        "\"cursor\", \"openai\", \"anthropic\", \"ollama\", or a list, the default one first.",
        "provider",
        match providers.as_slice() {
            [one] => quoted(one),
            _ => list(providers),
        },
        false,
    );
    line(
        "The agent's model.",
        "model",
        quoted(&server.model.to_string()),
        server.model == crate::model::ModelRef::default_of(server.providers.primary()),
    );
    line(
        "Where its services listen, in the qube and in dom0.",
        "ports",
        format!(
            "{{ proxy = {}, gateway = {} }}",
            server.ports.proxy, server.ports.gateway
        ),
        server.ports == plain.ports,
    );
    line(
        "The qubes that may use it.",
        "clients",
        list(
            server
                .clients
                .iter()
                .map(|client| client.as_str())
                .collect(),
        ),
        server.clients.is_empty(),
    );
    line(
        "The tag that makes a qube a client.",
        "client-tag",
        quoted(server.client_tag.as_str()),
        server.client_tag == plain.client_tag,
    );
    line(
        "More tags for the server.",
        "tags",
        list(server.tags.iter().map(|tag| tag.as_str()).collect()),
        server.tags.is_empty(),
    );
    line(
        "\"off\", \"ask\" or \"allow\": shells, commands and files from clients in it.",
        "inter-qube",
        quoted(server.inter_qube.word()),
        server.inter_qube == plain.inter_qube,
    );
    line(
        "The same from it in its clients. More than \"off\" gives the agent a way out of its qube.",
        "inter-qube-to-clients",
        quoted(server.inter_qube_to_clients.word()),
        server.inter_qube_to_clients == plain.inter_qube_to_clients,
    );
    out.push_str(
        "# OpenClaw's own settings, such as channels, go into a table below: [server.openclaw]\n",
    );
    out
}
