// SPDX-License-Identifier: MIT OR Apache-2.0

//! `plan`: shows what a configuration would make, and who could reach what.

use std::fmt::Write;

use super::check::summary;
use super::epoch::source_date_epoch;
use super::{Failure, args, input, print_output};
use crate::manifest::{Manifest, octal};
use crate::plan::reach::Reach;
use crate::plan::{Plan, package_name};
use crate::tree::Host;

pub(super) fn run(args: &args::Plan) -> Result<(), Failure> {
    let deployment = input::read(&args.input)?;
    let reach = Reach::new(&deployment);
    if args.json {
        let reach = serde_json::to_value(&reach).expect("a JSON value can be written");
        let value = if args.who_can_reach {
            reach
        } else {
            let (epoch, plan) = (source_date_epoch()?, Plan::new(&deployment));
            let manifest = Manifest::new(&deployment, epoch, &plan, Vec::new(), Vec::new());
            serde_json::json!({
                "input": manifest.input,
                "dom0": manifest.dom0,
                "template": manifest.template,
                "who_can_reach": reach,
            })
        };
        let text = serde_json::to_string_pretty(&value).expect("a JSON value can be written");
        return print_output(&(text + "\n"));
    }
    if args.who_can_reach {
        return print_output(&reach.to_text());
    }
    let mut text = String::from("The qubes\n");
    for server in &deployment.servers {
        let _ = writeln!(text, "{}", summary(server));
    }
    for (client, servers) in deployment.clients() {
        let names: Vec<_> = servers.iter().map(|server| server.name.as_str()).collect();
        let _ = writeln!(text, "{client}: a client of {}", names.join(" and "));
    }
    let plan = Plan::new(&deployment);
    for host in Host::ALL {
        let _ = writeln!(text, "\nThe files of {}", package_name(host));
        for (path, entry) in plan.tree(host).iter() {
            let mode = octal(u32::from(entry.mode));
            let _ = writeln!(text, "{mode} {} {} {path}", entry.user, entry.group);
        }
    }
    let _ = write!(text, "\nWho can reach what\n{}", reach.to_text());
    print_output(&text)
}
