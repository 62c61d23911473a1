# SPDX-License-Identifier: MIT OR Apache-2.0
"""The qvm command line tools over the stand-in model.

main() is for the scripts in ../bin; run() is for the Salt module, which calls
the same tools with a command line and wants (exit code, stdout, stderr).
"""
import argparse
import contextlib
import fnmatch
import io
import json
import os
import shlex
import shutil
import socket
import sys
import traceback

from standin_model import Model, NoSuchProperty, QubesError, initial


QUBESD = "/run/qubesd.sock"
UNSET = ("backup_timestamp", "stubdom_mem")  # numbers that have no default


class Parser(argparse.ArgumentParser):
    """What all tools take: verbosity and, mostly, the names of qubes."""

    def __init__(self, prog, qubes=None):
        super().__init__(prog=prog)
        self.add_argument("--verbose", "-v", action="count", default=1)
        self.add_argument("--quiet", "-q", action="count", default=0)
        self.add_argument("--force-root", action="store_true", help=argparse.SUPPRESS)
        self.plural = qubes in ("*", "+")
        if self.plural:
            group = self.add_mutually_exclusive_group(required=qubes == "+")
            group.add_argument("--all", action="store_true", dest="all_qubes")
            group.add_argument("VMNAME", nargs="*", default=[])
            self.add_argument("--exclude", action="append", default=[])
        elif qubes:
            self.add_argument("VMNAME", nargs=1)

    def names(self, args, model):
        """The qubes asked for, which must exist; patterns are expanded."""
        if not self.plural:
            args.all_qubes, args.exclude = False, []
        if args.all_qubes:
            return [name for name in model.names()
                    if name != "dom0" and name not in args.exclude]
        if args.exclude:
            self.error("--exclude can only be used with --all")
        names = []
        for given in args.VMNAME:
            if any(character in given for character in "*?[!]"):
                names += fnmatch.filter(model.names(), given)
            elif given not in model:
                self.error("no such domain: {!r}".format(given))
            else:
                names.append(given)
        return list(dict.fromkeys(names))

    def failed(self, message, code=1):
        self.exit(code, "{}: error: {}\n".format(self.prog, message))


def complain(*words):
    print("Error:", *words, file=sys.stderr)


def qvm_check(argv):
    parser = Parser("qvm-check", "+")
    for name in ("running", "paused", "template", "networked"):
        parser.add_argument("--" + name, action="store_true")
    args = parser.parse_args(argv)
    model = Model()
    known = [name for name in args.VMNAME if name in model]
    if args.all_qubes:
        known = parser.names(args, model)
    elif args.exclude:
        parser.error("--exclude can only be used with --all")
    quiet = args.quiet >= args.verbose

    def say(text, always=False):
        if not quiet:
            print("qvm-check: " + text, file=sys.stderr)
        elif always:
            print(text, file=sys.stderr)

    tests = {
        "running": lambda name: model.qube(name)["running"],
        "paused": lambda name: False,
        "template": lambda name: model.qube(name)["class"] == "TemplateVM",
        "networked": lambda name: (model.get(name, "provides_network")[1]
                                   or model.get(name, "netvm")[1] is not None),
    }
    wanted = [name for name in tests if getattr(args, name)]
    passing = [name for name in known if all(tests[test](name) for test in wanted)]
    code = 0 if len(passing) == len(known) else 3 if passing else 1
    if not known:
        code = 1
    for name in sorted(set(passing)):
        say("{}: {}".format(name, ", ".join(wanted or ["exists"])))
    if wanted and not passing:
        say("None of qubes: " + ", ".join(wanted))
    for name in args.VMNAME:
        if name not in model:
            say(name + ": non-existent!", always=True)
            code = 1
    return code


def qvm_create(argv):
    parser = Parser("qvm-create")
    parser.add_argument("--class", "-C", dest="klass", default="AppVM")
    parser.add_argument("--standalone", action="store_true")
    parser.add_argument("--property", "--prop", action="append", default=[])
    parser.add_argument("--template", "-t")
    parser.add_argument("--label", "-l")
    parser.add_argument("name", metavar="VMNAME", nargs="?")
    args = parser.parse_args(argv)
    klass = "StandaloneVM" if args.standalone else args.klass
    for token in args.property:
        if "=" not in token:
            parser.error("Invalid property token: {!r}".format(token))
    if not args.label:
        parser.error("--label option is mandatory")
    if not args.name:
        parser.error("VMNAME is mandatory")
    labels = Model().data["labels"]
    if args.label not in labels:
        parser.error("no such label: {!r}; available: {}".format(
            args.label, ", ".join(labels)))
    try:
        with Model.change() as model:
            if klass == "StandaloneVM" and args.template:
                if args.template not in model:
                    raise KeyError(args.template)
                model.clone(args.template, args.name, klass)
                model.set(args.name, "label", args.label)
            else:
                model.create(klass, args.name, args.label, args.template)
    except QubesError as error:
        print("app: Error creating VM: {}".format(error), file=sys.stderr)
        return 1
    code = 0
    for token in args.property:
        prop, value = token.split("=", 1)
        try:
            with Model.change() as model:
                model.set(args.name, prop, value)
        except QubesError as error:
            print("app: Error setting property {} (but VM created): {}".format(
                prop, error), file=sys.stderr)
            code = 2
    return code


def qvm_clone(argv):
    parser = Parser("qvm-clone", 1)
    parser.add_argument("new_name", metavar="NEWVM")
    parser.add_argument("--class", "-C", dest="klass")
    args = parser.parse_args(argv)
    with Model.change() as model:
        try:
            model.clone(parser.names(args, model)[0], args.new_name, args.klass)
        except QubesError as error:
            parser.failed(error)


def qvm_remove(argv):
    parser = Parser("qvm-remove", "+")
    parser.add_argument("--force", "-f", action="store_true")
    args = parser.parse_args(argv)
    if not args.force:
        parser.error("the stand-in asks nothing: give --force")
    for name in parser.names(args, Model()):
        if name == "dom0":
            print("Domain 'dom0' cannot be removed.", file=sys.stderr)
            return 1
        with Model.change() as model:
            try:
                model.remove(name)
            except QubesError as error:
                if model.users(name):
                    print("VM {} cannot be removed. It is in use as:".format(name),
                          file=sys.stderr)
                for user, prop in model.users(name):
                    print(" - {} for {}".format(prop, user) if user else
                          " - global property " + prop, file=sys.stderr)
                parser.failed(error)
    return 0


def _power(prog, argv, action, message, options=()):
    parser = Parser(prog, "+")
    for option in options:
        parser.add_argument(option, action="store_true")
    args = parser.parse_args(argv)
    failures = 0
    for name in parser.names(args, Model()):
        try:
            with Model.change() as model:
                action(model, name, args)
        except QubesError as error:
            if "connected to this VM" in str(error):
                again = "Retrying shutdown of qubes that were in use"
                complain(again + " for 1 time(s)")
                complain("{}: {}".format(again, name))
            complain("{}: {}: {}".format(message, name, error))
            failures += 1
    return failures


def _qubesd(method, name):
    """Asks qubesd, which those may who are no root, and in the group qubes."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(QUBESD)
        wire.sendall("{}+ dom0 name {}\0".format(method, name).encode())
        wire.shutdown(socket.SHUT_WR)
        answer = wire.makefile("rb").read()
    if answer != b"0\0":
        raise QubesError(answer.decode() or "Got empty response from qubesd")


def qubesd(argv):
    """Starts qubes for those who ask at its socket."""
    Parser("qubesd").parse_args(argv)
    server = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(QUBESD)
    server.bind(QUBESD)
    shutil.chown(QUBESD, group="qubes")
    os.chmod(QUBESD, 0o660)
    server.listen()
    while True:
        wire, _ = server.accept()
        with wire, contextlib.suppress(OSError):
            method, _, _, name = wire.makefile("rb").read().decode().rstrip("\0").split(" ")
            answer = b"2\0no such method\0"
            if method == "admin.vm.Start+":
                try:
                    with Model.change() as model:
                        model.start(name)
                    answer = b"0\0"
                except QubesError as error:
                    answer = b"2\0" + str(error).encode() + b"\0"
            wire.sendall(answer)


def qvm_start(argv):
    def start(model, name, args):
        if model.qube(name)["running"] and not args.skip_if_running:
            raise QubesError("domain is already running")
        model.start(name)

    if os.geteuid():
        parser = Parser("qvm-start", 1)
        parser.add_argument("--skip-if-running", action="store_true", required=True)
        try:
            _qubesd("admin.vm.Start", parser.parse_args(argv).VMNAME[0])
        except (QubesError, OSError) as error:
            complain("Starting qube failed: {}".format(error))
            return 1
        return 0
    return min(1, _power("qvm-start", argv, start, "Starting qube failed",
                         ["--skip-if-running"]))


def qvm_shutdown(argv):
    return _power("qvm-shutdown", argv,
                  lambda model, name, args: model.shutdown(name, args.force),
                  "Failed to shut down", ["--wait", "--force"])


def qvm_kill(argv):
    return _power("qvm-kill", argv,
                  lambda model, name, args: model.shutdown(name, force=True, kill=True),
                  "Failed to kill")


def qvm_run(argv):
    """Only what the formula runs: whether a unit is active. A qube that provides network has no
    more of a system than the names of its units."""
    parser = Parser("qvm-run", 1)
    parser.add_argument("--no-gui", action="store_true")
    parser.add_argument("command")
    args = parser.parse_args(argv)
    model = Model()
    name = parser.names(args, model)[0]
    *command, unit = shlex.split(args.command)
    if command != ["systemctl", "--quiet", "is-active"]:
        parser.error("the stand-in does not know this command")
    with Model.change() as model:
        model.start(name)
    return 0 if unit in model.qube(name).get("units", ()) else 3


def _shown(value):
    return str(value) if value is not None else ""


def qvm_prefs(argv):
    parser = Parser("qvm-prefs", 1)
    parser.add_argument("--hide-default", action="store_true")
    parser.add_argument("--get", "-g", action="store_true", help="ignored")
    parser.add_argument("--set", "-s", action="store_true", help="ignored")
    parser.add_argument("property", nargs="?")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("value", nargs="?")
    group.add_argument("--default", "-D", dest="delete", action="store_true")
    args = parser.parse_args(argv)
    model = Model()
    name = parser.names(args, model)[0]
    if args.property is None:
        width = max(map(len, model.property_names(name)))
        for prop in model.property_names(name):
            is_default, value = model.get(name, prop)
            if not (is_default and args.hide_default):
                mark = "U" if value is None and prop in UNSET else "D" if is_default else "-"
                print("{:{}}  {}".format(prop, width, mark)
                      + ("" if mark == "U" else "  {}".format(value)))
        return 0
    prop = args.property.replace("-", "_")
    try:
        if args.value is not None:
            none = args.value.lower() == "none" and prop in (
                "default_dispvm", "netvm", "template", "guivm", "audiovm")
            with Model.change() as model:
                model.set(name, prop, "" if none else args.value)
        elif args.delete:
            with Model.change() as model:
                model.reset(name, prop)
        else:
            is_default, value = model.get(name, prop)
            if value is None and prop in UNSET:
                raise AttributeError(prop)
            if value is not None and not (is_default and args.hide_default):
                print(value)
    except NoSuchProperty:
        parser.error("no such property: {!r}".format(prop))
    except QubesError as error:
        parser.failed(error)
    return 0


def qvm_features(argv):
    parser = Parser("qvm-features", 1)
    parser.add_argument("feature", nargs="?")
    parser.add_argument("value", nargs="?")
    parser.add_argument("--unset", "--default", "--delete", "-D", dest="delete",
                        action="store_true")
    args = parser.parse_args(argv)
    model = Model()
    name = parser.names(args, model)[0]
    features = model.qube(name)["features"]
    if args.feature is None:
        if args.delete:
            parser.error("--unset requires a feature")
        width = max(map(len, features), default=0)
        for feature, value in features.items():
            print("{:{}}  {}".format(feature, width, value).rstrip())
    elif args.delete:
        if args.value is not None:
            parser.error("cannot both set and unset a value")
        if args.feature in features:
            with Model.change() as model:
                model.remove_feature(name, args.feature)
    elif args.value is None:
        if args.feature not in features:
            return 1
        print(features[args.feature])
    else:
        with Model.change() as model:
            model.set_feature(name, args.feature, args.value)
    return 0


def qvm_tags(argv):
    parser = Parser("qvm-tags", 1)
    commands = parser.add_subparsers(dest="command")
    listing = commands.add_parser("list", aliases=["ls", "l"])
    listing.add_argument("tag", nargs="?")
    listing.set_defaults(mode="list")
    adding = commands.add_parser("add", aliases=["a", "set"])
    adding.add_argument("tag", nargs="+")
    adding.set_defaults(mode="add")
    deleting = commands.add_parser("del", aliases=["d", "unset", "u"])
    deleting.add_argument("tag", nargs=1)
    deleting.set_defaults(mode="del")
    parser.set_defaults(mode="list", tag=None)
    args = parser.parse_args(argv)
    model = Model()
    name = parser.names(args, model)[0]
    if args.mode == "list":
        tags = [tag for tag in model.qube(name)["tags"] if args.tag in (None, tag)]
        if tags:
            print("\n".join(tags))
        return 1 if args.tag and not tags else 0
    try:
        for tag in args.tag:
            with Model.change() as model:
                (model.add_tag if args.mode == "add" else model.discard_tag)(name, tag)
    except QubesError as error:
        parser.failed(error)
    return 0


def qvm_ls(argv):
    parser = Parser("qvm-ls", "*")
    parser.add_argument("--raw-data", action="store_true")
    parser.add_argument("--raw-list", action="store_true")
    parser.add_argument("--fields", "-O", metavar="FIELD,...")
    parser.add_argument("--class", nargs="+", dest="klass")
    parser.add_argument("--tags", nargs="+")
    parser.add_argument("--running", action="store_true")
    parser.add_argument("--halted", action="store_true")
    args = parser.parse_args(argv)
    if not args.raw_list and not (args.raw_data and args.fields):
        parser.error("the stand-in knows only --raw-list and --raw-data --fields=...")
    model = Model()
    states = {state for state in ("Running", "Halted") if getattr(args, state.lower())}

    def cell(name, field):
        if field == "state":
            return model.state(name)
        if field == "class":
            return model.qube(name)["class"]
        try:
            return _shown(model.get(name, field)[1]) or "-"
        except NoSuchProperty:
            return "-"

    fields = ["name"] if args.raw_list else args.fields.lower().split(",")
    for name in sorted(parser.names(args, model) or model.names()):
        qube = model.qube(name)
        if ((not args.klass or qube["class"] in args.klass)
                and (not args.tags or set(args.tags) & set(qube["tags"]))
                and (not states or model.state(name) in states)):
            print("|".join(cell(name, field.strip()) for field in fields))
    return 0


def qubes_standin(argv):
    parser = argparse.ArgumentParser(prog="qubes-standin")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("init", help="write the model of a fresh machine")
    command.add_argument("file")
    command = commands.add_parser("unit", help="give a qube a unit that is active")
    command.add_argument("qube")
    command.add_argument("unit")
    args = parser.parse_args(argv)
    if "unit" in args:
        with Model.change() as model:
            model.qube(args.qube).setdefault("units", []).append(args.unit)
        return 0
    os.makedirs(os.path.dirname(os.path.abspath(args.file)), exist_ok=True)
    with open(args.file, "w", encoding="utf-8") as file:
        json.dump(initial(), file, indent=1, sort_keys=True)
        file.write("\n")
    return 0


TOOLS = {tool.__name__.replace("_", "-"): tool for tool in (
    qvm_check, qvm_create, qvm_clone, qvm_remove, qvm_start, qvm_shutdown, qvm_kill,
    qvm_prefs, qvm_features, qvm_tags, qvm_ls, qvm_run, qubesd, qubes_standin)}


def main(path):
    return TOOLS[os.path.basename(path)](sys.argv[1:])


def run(command):
    """(exit code, stdout, stderr) of a command line given as one string."""
    path, *argv = shlex.split(command)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = TOOLS[os.path.basename(path)](argv) or 0
        except SystemExit as stop:
            code = stop.code or 0
        except Exception:  # as the interpreter would end the real tool
            traceback.print_exc()
            code = 1
    return code, out.getvalue(), err.getvalue()
