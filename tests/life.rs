// SPDX-License-Identifier: MIT OR Apache-2.0

//! The life of a package, with the real rpm in a dom0 and a template: installed, installed again,
//! upgraded, downgraded, interrupted and erased. Its scripts run the stand-in's `qubesctl`.

mod support;

use support::Built;
use support::qubes_box::QubesBox;

const DOM0: &str = "openclaw-formula-dom0";
const LINK: &str = "/srv/salt/_tops/base/openclaw.top";
const CONFIG: &str = "/etc/salt/minion.d/formula-openclaw.conf";
const QUBE: &str = "/srv/formulas/base/openclaw-formula/openclaw/openclaw-vm";
const UNIT: &str = "files/home/user/.config/systemd/user/openclaw-cursor-proxy.service";

/// A later package drops a file, and changes and adds others.
fn built(provider: &str, release: u32) -> Built {
    Built::config(&format!(
        "[[server]]\nprovider = \"{provider}\"\nclients = [{}]\n[package]\nrelease = {release}\n",
        if release > 1 { "\"work\"" } else { "" }
    ))
}

/// A dom0 with the packages that ours need, and three of ours in `/mnt/exchange`.
fn machine(name: &str) -> Option<QubesBox> {
    let qubes = QubesBox::fresh(name)?;
    for (provider, release) in [("cursor", 1), ("openai", 2)] {
        let built = built(provider, release);
        qubes.give(&built.dom0, &format!("ours-{release}"));
        qubes.give(&built.template, "ours-template");
    }
    Some(qubes)
}

/// Runs rpm, which has nothing to say.
#[track_caller]
fn quietly(qubes: &QubesBox, arguments: &str) {
    let output = qubes.run("dom0", &format!("rpm {arguments}"));
    assert!(output.status.success(), "{}", support::said(&output));
    // Debian's rpm wonders who uses it.
    let said = support::said(&output);
    let said: Vec<_> = said
        .lines()
        .filter(|line| !line.starts_with("rpm: "))
        .collect();
    assert!(said.is_empty(), "rpm {arguments}: {said:?}");
}

/// Everything is as the package says, and the top is enabled, once.
#[track_caller]
fn assert_whole(qubes: &QubesBox, release: u32) {
    quietly(qubes, &format!("--verify {DOM0}"));
    assert_eq!(
        qubes.must("dom0", &format!("rpm -q {DOM0}")),
        format!("{DOM0}-0.1.0-{release}.noarch\n")
    );
    assert_eq!(
        qubes.must("dom0", &format!("readlink {LINK}")),
        "/srv/formulas/base/openclaw-formula/openclaw/init.top\n"
    );
    let tops = qubes.must("dom0", "ls /srv/salt/_tops/base");
    assert_eq!(tops.matches("openclaw").count(), 1, "{tops}");
    // The first has the proxy's unit, the second a client.
    assert_eq!(
        qubes.holds("dom0", &format!("test -e {QUBE}/{UNIT}")),
        release == 1
    );
    assert_eq!(
        qubes.holds("dom0", &format!("test -e {QUBE}/../work")),
        release == 2
    );
}

/// Every path of dom0 that a package could leave something at.
fn files(qubes: &QubesBox) -> String {
    qubes.must(
        "dom0",
        "find /etc /opt /srv /usr /var -xdev \\( -path /var/log -o -path /var/lib/rpm \
         -o -path /var/lib/qubes-standin -o -path /var/lib/systemd -o -path /var/cache/salt \
         -o -path /var/tmp -o -name __pycache__ \\) -prune -o -print | sort",
    )
}

#[test]
fn from_installation_to_erasure() {
    let Some(qubes) = machine("life") else {
        return;
    };
    // As Qubes has it.
    qubes.must("dom0", "mkdir -p /srv/salt/_tops/base");
    let before = files(&qubes);

    quietly(&qubes, "--install /mnt/exchange/ours-1");
    assert_whole(&qubes, 1);
    quietly(&qubes, "--reinstall /mnt/exchange/ours-1");
    assert_whole(&qubes, 1);

    qubes.must("dom0", &format!("echo '# mine' >> {CONFIG}"));
    quietly(&qubes, "--upgrade /mnt/exchange/ours-2");
    assert!(
        qubes
            .must("dom0", &format!("tail -n 1 {CONFIG}"))
            .contains("mine")
    );
    let differs = qubes.must_fail("dom0", &format!("rpm --verify {DOM0}"));
    assert_eq!(differs.lines().count(), 1, "{differs}");
    assert!(differs.ends_with(&format!("c {CONFIG}\n")), "{differs}");
    qubes.must(
        "dom0",
        &format!("sed -i '$d' {CONFIG} && touch -r {QUBE}/install.sls {CONFIG}"),
    );
    assert_whole(&qubes, 2);

    let refused = qubes.must_fail("dom0", "rpm --upgrade /mnt/exchange/ours-1");
    assert!(refused.contains("is already installed"), "{refused}");
    assert_whole(&qubes, 2);
    quietly(&qubes, "--upgrade --oldpackage /mnt/exchange/ours-1");
    assert_whole(&qubes, 1);

    // Enabled by hand as well, as the seed's users did.
    qubes.must("dom0", "qubesctl top.enable openclaw");
    assert_whole(&qubes, 1);
    quietly(&qubes, &format!("--erase {DOM0}"));
    assert_eq!(files(&qubes), before);
    assert_eq!(qubes.must("dom0", "ls -A /srv/salt/_tops/base"), "");
}

#[test]
fn an_upgrade_that_was_cut_short_is_mended_by_another() {
    let Some(qubes) = machine("life-cut-short") else {
        return;
    };
    quietly(&qubes, "--install /mnt/exchange/ours-1");
    // rpm is killed while its script runs: the new files are there, and the old package is not gone.
    qubes.must(
        "dom0",
        "mv /usr/bin/qubesctl /root/qubesctl && \
         printf '#!/bin/sh\\ntouch /run/hangs; exec sleep 100\\n' > /usr/bin/qubesctl && \
         chmod 755 /usr/bin/qubesctl",
    );
    let mut cut_short = qubes.start("dom0", "exec rpm --upgrade /mnt/exchange/ours-2");
    qubes.until("dom0", "test -e /run/hangs");
    qubes.must(
        "dom0",
        "pkill -KILL -x rpm; pkill -KILL -x sleep; mv -f /root/qubesctl /usr/bin",
    );
    assert!(!cut_short.wait().unwrap().success());
    assert!(qubes.holds("dom0", &format!("test -e {QUBE}/{UNIT}")));

    // Whoever applies now gets the new states: they are whole.
    assert!(qubes.holds(
        "dom0",
        "test -e /srv/formulas/base/openclaw-formula/openclaw/work"
    ));
    quietly(&qubes, "--upgrade --replacepkgs /mnt/exchange/ours-2");
    assert_whole(&qubes, 2);
}

#[test]
fn without_qubesctl_the_scripts_do_no_harm() {
    let Some(qubes) = machine("life-bare") else {
        return;
    };
    qubes.must(
        "dom0",
        "rm /usr/bin/qubesctl && mkdir -p /srv/salt/_tops/base",
    );
    let before = files(&qubes);
    quietly(&qubes, "--install /mnt/exchange/ours-1");
    quietly(&qubes, &format!("--verify {DOM0}"));
    quietly(&qubes, "--upgrade /mnt/exchange/ours-2");
    quietly(&qubes, &format!("--verify {DOM0}"));
    // A link that qubesctl made before it was gone would break the management of every qube.
    qubes.must(
        "dom0",
        &format!("ln -s /srv/formulas/base/openclaw-formula/openclaw/init.top {LINK}"),
    );
    quietly(&qubes, &format!("--erase {DOM0}"));
    assert_eq!(files(&qubes), before);

    quietly(&qubes, "--install /mnt/exchange/ours-template");
    quietly(&qubes, "--verify openclaw-formula-template");
    quietly(&qubes, "--erase openclaw-formula-template");
    assert_eq!(files(&qubes), before);
}
