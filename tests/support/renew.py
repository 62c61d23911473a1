# SPDX-License-Identifier: MIT OR Apache-2.0
"""What tests/renew-openclaw needs to know of versions and lock files.

    renew.py node PINNED            the Node to use, of the versions in the JSON on stdin
    renew.py form                   the lock file on stdin, in the form that the formula has it
    renew.py report BEFORE AFTER    what another lock file changes
    renew.py configurations FOLDER  the OpenClaw configurations in a generated tree, each a line
"""
import glob
import json
import sys

import yaml


def number(version):
    return tuple(map(int, version.split(".")))


def node(pinned):
    """The newest of the pinned major version, while OpenClaw takes that: another one is another
    line of support, and a person's decision. Else the newest of the oldest even (LTS) one."""
    versions = json.load(sys.stdin)
    versions = sorted(map(number, [versions] if isinstance(versions, str) else versions))
    same = [version for version in versions if version[0] == number(pinned)[0]]
    later = [version for version in versions if version[0] % 2 == 0]
    later = [version for version in later if version[0] == later[0][0]]
    print(".".join(map(str, (same or later)[-1])))


def is_for_qubes(entry):
    """Whether a package is for Linux with glibc on x86-64."""
    have = {"os": "linux", "cpu": "x64", "libc": "glibc"}
    for key, value in have.items():
        wanted = entry.get(key, value)
        wanted = [wanted] if isinstance(wanted, str) else wanted
        if value not in wanted and not any(one.startswith("!") for one in wanted):
            return False
        if "!" + value in wanted:
            return False
    return True


def form():
    """As npm makes it, but with nothing for other machines, no addresses, and nothing that is not
    needed to install: where npm fetches from is the qube's affair, and the hash says what."""
    lock = json.load(sys.stdin)
    gone = set()
    for path, entry in list(lock["packages"].items()):
        for key in ("resolved", "engines", "funding"):
            entry.pop(key, None)
        if entry.get("optional") and not is_for_qubes(entry):
            gone.add(path.rpartition("node_modules/")[2])
            del lock["packages"][path]
    for path, entry in lock["packages"].items():
        if not (entry.get("integrity", "").startswith("sha512-") or entry.get("inBundle") or not path):
            sys.exit("{} has no sha512 hash".format(path))
        wanted = entry.get("optionalDependencies", {})
        for name in gone.intersection(wanted):
            del wanted[name]
    json.dump(lock, sys.stdout, indent=2, ensure_ascii=False)
    print()


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)["packages"]


def report(before, after):
    before, after = read(before), read(after)
    for name in before[""]["dependencies"]:
        print("{}: {} -> {}".format(name, *(lock[""]["dependencies"][name] for lock in (before, after))))
    changes = 0
    for path in sorted({*before, *after} - {""}):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        changes += 1
        name = path.removeprefix("node_modules/")
        if old is None:
            print("added    {} {}".format(name, new["version"]))
        elif new is None:
            print("removed  {} {}".format(name, old["version"]))
        elif old["version"] != new["version"]:
            print("changed  {} {} -> {}".format(name, old["version"], new["version"]))
        else:
            keys = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
            print("changed  {} {}: {}".format(name, new["version"], ", ".join(keys)))
    print("{} packages, {}".format(len(after) - 1, "{} changes".format(changes) if changes else "no change"))


def configurations(folder):
    formula = "dom0/srv/formulas/base/openclaw-formula/openclaw"
    for path in sorted(glob.glob("{}/{}/*/configure.sls".format(folder, formula))):
        with open(path, encoding="utf-8") as file:
            state = yaml.safe_load(file)["openclaw-configure-settings"]
        for argument in state["file.serialize"]:
            if "dataset" in argument:
                print(json.dumps(argument["dataset"]))


{"node": node, "form": form, "report": report,
 "configurations": configurations}[sys.argv[1]](*sys.argv[2:])
