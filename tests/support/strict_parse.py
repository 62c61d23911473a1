# SPDX-License-Identifier: MIT OR Apache-2.0
"""Parses every JSON, state and top file of generated folders strictly.

Usage: strict_parse.py FOLDER...

A key that is there twice, a number that JSON does not have, an undefined name in Jinja, or
anything but a mapping as a state is an error. States are rendered for every host that the
formula knows, and for one that it does not. Then each value of the configuration, which the
manifest records, must be where it belongs. Prints how many files there were in each folder.
"""

import json
import pathlib
import re
import sys

import jinja2
import yaml

SERVICES = pathlib.Path(__file__).parents[2] / "docs/services.md"


class StrictLoader(yaml.CSafeLoader):
    """YAML 1.1 as Salt reads it, without keys that are there twice."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} twice", node.start_mark)
        return super().construct_mapping(node, deep)


def unique(pairs):
    """A JSON object without keys that are there twice."""
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"a key twice: {keys}")
    return dict(pairs)


def no_constant(name):
    """Refuses NaN and Infinity."""
    raise ValueError(f"{name} is not JSON")


def hosts(formula):
    """The hosts that have a folder, and a stranger."""
    return sorted(path.name for path in formula.iterdir() if path.is_dir()) + ["stranger"]


def parse_state(path, host):
    """Renders a state for a host, and checks its outer form."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    text = environment.from_string(path.read_text()).render(grains={"id": host})
    data = yaml.load(text, StrictLoader)
    if not isinstance(data, dict):
        raise ValueError(f"{type(data).__name__}, not a mapping, for {host}")
    if path.suffix == ".sls":
        for name in data:
            if name != "include" and not name.startswith("openclaw"):
                raise ValueError(f"the id {name!r} does not begin with the formula's name")
    return data


def arguments(state):
    """The arguments of a state's function, by name."""
    return {key: value for item in state for key, value in item.items()}


def expect(what, found, wanted):
    """Fails unless a value is, to the type, what it should be."""
    if found != wanted or type(found) is not type(wanted):
        raise ValueError(f"{what} is {found!r}, not {wanted!r}")


def expect_in(what, found, wanted):
    """Fails unless everything in a table of settings is, to the type, in another."""
    if not isinstance(wanted, dict) or not wanted:
        if wanted != {} or not isinstance(found, dict):
            expect(what, found, wanted)
        return
    for key, value in wanted.items():
        expect_in(f"{what}.{key}", found[key], value)


def check_server(formula, server):
    """Every value of a server's configuration is where it belongs, and nothing else is there."""
    name = server["name"]
    states = parse_state(formula / "create.sls", "dom0")
    made = arguments(states[f"openclaw-create-{name}"]["qvm.vm"])
    expect("name", made["name"], name)
    expect("present", arguments(made["present"]), {
        "class": {"standalone": "StandaloneVM", "app": "AppVM"}[server["class"]],
        "template": server["template"],
        "label": server["label"],
    })
    prefs = {
        "label": server["label"],
        "netvm": server["netvm"] or "none",
        "default_dispvm": "none",
        "audiovm": "none",
        "memory": server["memory"]["initial"],
        "maxmem": server["memory"]["max"],
        "autostart": server["autostart"],
    }
    (mode,) = server["mode"].values()
    if mode["address"]:
        prefs["ip"] = mode["address"]
    found = arguments(made["prefs"])
    expect("prefs", found, prefs)
    for key, value in prefs.items():
        expect(key, found[key], value)
    without_network = ["openclaw-no-network"]
    tags = {"add": ["openclaw-server"] + server["tags"], "del": without_network}
    if not server["netvm"]:
        tags = {"add": ["openclaw-server"] + without_network + server["tags"]}
    expect("tags", arguments(made["tags"]), tags)

    written = parse_state(formula / name / "configure.sls", name)["openclaw-configure-settings"]
    dataset = arguments(written["file.serialize"])["dataset"]
    expect("port", dataset["gateway"]["port"], server["ports"]["gateway"])
    expect("model", dataset["agents"]["defaults"]["model"]["primary"], server["model"])
    expect("providers", list(dataset["models"]["providers"]), server["providers"])
    expect_in("openclaw", dataset, server["openclaw"])
    if "network" in server["mode"]:
        expect("address", dataset["gateway"]["customBindHost"], mode["address"])


def check_policy(formula, servers):
    """Each rule has only words that the configuration has."""
    words = {"*", "@anyvm", "@tag:openclaw-server", "@dispvm:@tag:openclaw-server",
             "@tag:openclaw-no-network", "@dispvm", "@adminvm", "allow", "deny", "ask"}
    # The first column of the table.
    words |= set(re.findall(r"^\| `([A-Za-z0-9.]+)` \|", SERVICES.read_text(), re.MULTILINE))
    for server in servers:
        words.add("@tag:" + server["client_tag"])
        for name in [server["name"]] + server["clients"]:
            words |= {name, "target=" + name, "default_target=" + name}
        words |= {f"+{port}" for port in server["ports"].values()}
    for path in sorted((formula / "dom0/files/etc/qubes/policy.d").iterdir()):
        for line in path.read_text().splitlines():
            if line[:1] != "#" and not words.issuperset(line.split()):
                raise ValueError(f"{path.name}: {line}")


def check_values(folder):
    """Compares the formula with the configuration that the manifest records."""
    servers = json.loads((folder / "MANIFEST.json").read_text())["input"]["servers"]
    formula = folder / "dom0/srv/formulas/base/openclaw-formula/openclaw"
    for server in servers:
        check_server(formula, server)
    check_policy(formula, servers)


def main(folder):
    """Parses everything, and says what is at fault."""
    count = 0
    faults = []
    try:
        check_values(folder)
    except Exception as fault:  # pylint: disable=broad-except
        faults.append(f"{folder}: {type(fault).__name__}: {fault}")
    for path in sorted(folder.rglob("*")):
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(), object_pairs_hook=unique, parse_constant=no_constant)
            elif path.suffix in (".sls", ".top"):
                formula = next(above for above in path.parents if above.name == "openclaw" and
                               above.parent.name == "openclaw-formula")
                for host in hosts(formula):
                    parse_state(path, host)
            else:
                continue
            count += 1
        except Exception as fault:  # pylint: disable=broad-except
            faults.append(f"{path}: {type(fault).__name__}: {fault}")
    print("\n".join(faults) or f"{count} files")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(any([main(pathlib.Path(folder)) for folder in sys.argv[1:]]))
