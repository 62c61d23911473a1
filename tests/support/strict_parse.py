# SPDX-License-Identifier: MIT OR Apache-2.0
"""Parses every JSON, state and top file below a folder strictly.

Usage: strict_parse.py FOLDER

A key that is there twice, a number that JSON does not have, an undefined name in Jinja, or
anything but a mapping as a state is an error. States are rendered for every host that the
formula knows, and for one that it does not. Prints how many files there were.
"""

import json
import pathlib
import sys

import jinja2
import yaml


class StrictLoader(yaml.SafeLoader):
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


def main(folder):
    """Parses everything, and says what is at fault."""
    count = 0
    faults = []
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
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
