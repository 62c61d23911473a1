# SPDX-License-Identifier: MIT OR Apache-2.0
"""Stand-in for Qubes OS' `qvm` execution module (release 4.3).

Set up, in the minion configuration (nothing needs to be synchronised):

    module_dirs:
      - /path/to/tests/standin/qvm

The qubes are in the file named by $OPENCLAW_STANDIN_MODEL (see
../../lib/standin_model.py); ../../bin/qubes-standin makes a first one.

The faults of the real module are kept on purpose, among them:
- create: a failed qvm-create is a success (only the comment tells);
- prefs: written under test=True, quoted numbers and booleans never match, keys
  that are not in PREFS are ignored (shutdown_timeout, bootmode, ip6, klass, name,
  stubdom_mem, keyboard_layout, ...);
- keywords that a function does not know are ignored, also in `flags`;
- create, clone, start, shutdown, kill and remove report no changes.
"""
import argparse
import json
import os
import sys

from salt.exceptions import CommandExecutionError, SaltInvocationError

sys.path.insert(0, os.path.join(
    os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import standin_tools  # noqa: E402
from standin_model import Model, QubesError, canonical_rule  # noqa: E402

__virtualname__ = "qvm"

MISSING = "Virtual Machine does not exist!"

# Each preference with its spellings; the first one found in the arguments counts.
PREFS = [
    ["autostart"], ["debug"], ["default-user", "default_user"],
    ["default-dispvm", "default_dispvm"], ["devices-denied", "devices_denied"],
    ["management-dispvm", "management_dispvm"], ["guivm"], ["audiovm"],
    ["template-for-dispvms", "template_for_dispvms", "dispvm-allowed"],
    ["virt-mode", "virt_mode"], ["label"], ["last-backup", "last_backup"],
    ["include-in-backups", "include_in_backups"],
    ["installed-by-rpm", "installed_by_rpm"], ["ip"], ["kernel"], ["kernelopts"],
    ["mac"], ["maxmem"], ["memory"], ["netvm"], ["pci-strictreset", "pci_strictreset"],
    ["pcidevs"], ["provides-network", "provides_network"], ["template"],
    ["qrexec-timeout", "qrexec_timeout"], ["updateable"], ["vcpus"],
]
RENAMED = {"last_backup": "backup_timestamp", "dispvm_allowed": "template_for_dispvms"}
# Only these spellings take "none" and "" for no qube.
NONE_ALLOWED = ("netvm", "guivm", "audiovm", "default_dispvm", "devices_denied",
                "management_dispvm")


def __virtual__():
    return __virtualname__


class Status:
    """The outcome of a step, or of a whole function."""

    def __init__(self, name="", result=None, retcode=0, stdout="", stderr="",
                 changes=None, comment=""):
        self.name, self.result, self.retcode = name, result, retcode
        self.stdout, self.stderr = stdout, stderr
        self.changes, self.comment = changes or {}, comment

    def passed(self):
        return not self.retcode if self.result is None else self.result

    def failed(self):
        return not self.passed()

    def __bool__(self):
        return bool(self.passed())

    def describe(self, message="", prefix=""):
        """Make the comment, unless there is one."""
        if self.comment:
            return self
        failure = bool(self.failed() and self.stderr.strip())
        indent = "\n" + (" " * len(prefix) if message else "")
        self.comment = prefix + message if message else ""
        for output in [self.stdout] + ([self.stderr] if failure else []):
            if output.strip():
                self.comment += indent + output.strip().replace("\n", indent)
        if failure:
            self.comment = "====== stderr ======\n" + self.comment
        return self


class Steps:
    """Collects the steps of a function and makes one status of them."""

    def __init__(self, name, kwargs):
        self.name, self.kwargs, self.steps = name, kwargs, []
        self.parser = _Parser(name)
        self.every = kwargs.get("status-mode", "last") == "all"

    def add(self, status=None, message="", prefix=""):
        status = Status() if status is None else status
        status.name = status.name or self.name
        self.steps.append(status.describe(message, prefix))
        return status

    def run(self, command, always=False):
        """Run a tool; under test=True only say so."""
        if __opts__["test"] and not always:
            return self.add(message=command + " ", prefix="[TEST] ")
        code, out, err = standin_tools.run(command)
        return self.add(Status(retcode=code, stdout=out.rstrip("\n"),
                               stderr=err.rstrip("\n")), message=command + " ")

    def finish(self):
        """With `every`, one failed step fails the whole. Otherwise the last step
        decides which are looked at, and the last explicit result wins: this is
        how a failed command after a good check becomes a success."""
        steps = self.steps or [Status()]
        last = steps[-1]
        code = 0
        if not self.every:
            code = last.retcode if last.result is None else not last.result
            if last.passed():
                steps = [last]
        comments, changes = [], {}
        for step in steps:
            if step.result is not None:
                code = not step.result
            elif step.retcode and self.every:
                code = step.retcode
            step.result = (None if __opts__["test"] else True) if not code else False
            if step.comment.strip():
                comments.append(step.comment)
            if step.changes and step.passed():
                changes.setdefault(step.name, {}).update(step.changes)
        comment = "\n".join(comments) if self.every or code else last.comment
        if "__pub_fun" in self.kwargs:
            return {"retcode": code, "stdout": last.stdout or comment,
                    "stderr": last.stdout}
        return Status(last.name, last.result, code, last.stdout, last.stdout,
                      changes, comment)


class _Parser(argparse.ArgumentParser):
    """Arguments are put on a command line and parsed from it: what the function
    does not declare is dropped, what is no string ends in an exception."""

    def __init__(self, prog):
        super().__init__(prog=prog)
        self.declared = []

    def error(self, message):
        raise CommandExecutionError("{}: error: {}\n".format(self.prog, message))

    def declare(self, *names, **options):
        self.declared.append(self.add_argument(*names, **options))

    def flags(self, *names):
        for name in names:
            self.declare("--" + name, action="store_true")

    def lists(self, *names):
        for name in names:
            self.declare("--" + name, nargs="*", default=None if name == "list" else [])

    def read(self, *positional, hide=(), **kwargs):
        argv, shown, positional = [], [], list(positional)
        flags = kwargs.get("flags") or {}
        for action in self.declared:
            words = []
            keys = [option[2:] for option in action.option_strings] or [
                action.dest, action.dest.replace("_", "-")]
            key = next((key for key in keys if key in kwargs), None)
            flag = next((key for key in keys if key in flags), None)
            if not action.option_strings:
                if key:
                    words.append(_text(kwargs[key]))
                elif positional:
                    words.append(_text(positional.pop(0)))
            else:
                if flag:
                    words.append("--" + flag)
                if key:
                    value = kwargs[key]
                    words.append("--" + key)
                    words += (value if value and isinstance(value, list)
                              else [_text(value)])
            argv += words
            if action.dest not in hide:
                shown += words
        args = self.parse_args(argv)
        args.argv = shown
        return args


def _text(value):
    if isinstance(value, list):
        return " ".join(value)
    return "" if value is None else str(value)


def _existing(name):
    if name not in Model():
        raise SaltInvocationError(message=MISSING)
    return name


def _halted(steps, name):
    """As qvm.state, but a missing qube counts as halted."""
    try:
        return steps.add(state(name, "halted"))
    except SaltInvocationError as error:
        return steps.add(message=error.message, prefix="[SKIP] ")


# ------------------------------------------------------------ life of a qube
def check(vmname, *varargs, **kwargs):
    """qvm.check NAME [exists|missing] [flags=[quiet,template]]"""
    steps = Steps("qvm.check", kwargs)
    steps.parser.flags("quiet", "template")
    steps.parser.declare("vmname")
    steps.parser.declare("check", nargs="?", default="exists",
                         choices=("exists", "missing"))
    args = steps.parser.read(vmname, *varargs, hide=["check"], **kwargs)
    command = "/usr/bin/qvm-check " + " ".join(args.argv)
    code, out, err = standin_tools.run(command)
    if args.check == "missing":
        code = not code
    steps.add(Status(retcode=code, stdout=out, stderr=err), message=command + " ")
    return steps.finish()


def state(vmname, *varargs, **kwargs):
    """qvm.state NAME [status|running|halted|transient|paused]"""
    steps = Steps("qvm.state", kwargs)
    steps.parser.declare("vmname")
    steps.parser.declare("state", nargs="*", default="status", choices=(
        "status", "running", "halted", "transient", "paused"))
    args = steps.parser.read(vmname, *varargs, **kwargs)
    power = Model().state(_existing(args.vmname))
    wrong = "status" not in args.state and power.lower() not in args.state
    steps.add(Status(retcode=int(wrong), stdout=power),
              message="qvm.state " + " ".join(args.state))
    return steps.finish()


def create(vmname, *varargs, **kwargs):
    """qvm.create NAME [template=] [label=] [class=] [mem=] [vcpus=] [flags=]"""
    steps = Steps("qvm.create", kwargs)
    steps.parser.flags("quiet", "net", "proxy", "hvm", "hvm-template", "standalone")
    for name in ("template", "label", "class", "mem", "root-move-from",
                 "root-copy-from", "vcpus"):
        steps.parser.declare("--" + name, nargs=1)
    steps.parser.declare("vmname")
    args = vars(steps.parser.read(vmname, *varargs, **kwargs))
    given = {name: value[0] for name, value in args.items()
             if isinstance(value, list) and name != "argv"}
    klass = ("TemplateVM" if args["hvm_template"]
             else "StandaloneVM" if args["standalone"] else given.get("class", "AppVM"))
    options = ["--class=" + klass]
    options += ["--{}={}".format(name, given[name.replace("-", "_")]) for name in (
        "root-move-from", "root-copy-from", "template", "label")
        if name.replace("-", "_") in given]
    properties = [("memory", given.get("mem")), ("vcpus", given.get("vcpus")),
                  ("virt_mode", "hvm" if args["hvm"] else None),
                  ("provides_network", "True" if args["proxy"] or args["net"] else None),
                  ("netvm", "" if args["net"] else None)]
    options += ["--property={}={}".format(*pair) for pair in properties
                if pair[1] is not None]
    # Whether the name is free is asked, but the answer makes no difference.
    asked = check(args["vmname"], "missing")
    steps.add(Status(asked.name, True, comment=asked.comment))
    steps.run("/usr/bin/qvm-create {} {}".format(args["vmname"], " ".join(options)))
    return steps.finish()


def clone(vmname, clone, *varargs, **kwargs):
    """qvm.clone SOURCE NAME [flags=[shutdown]]"""
    steps = Steps("qvm.clone", kwargs)
    steps.parser.flags("shutdown", "quiet", "force-root")
    steps.parser.declare("--path", nargs=1)
    steps.parser.declare("vmname")
    steps.parser.declare("clone")
    args = steps.parser.read(vmname, clone, *varargs, **kwargs)
    if steps.add(check(args.clone, "missing")).failed():
        return steps.finish()
    if _halted(steps, args.vmname).failed() and args.shutdown:
        if steps.add(shutdown(args.vmname, flags=["wait", "force"])).failed():
            return steps.finish()
    steps.run("/usr/bin/qvm-clone " + " ".join(
        word for word in args.argv if word != "--shutdown"))
    if __opts__["test"]:
        steps.add(message="VM is set to be cloned")
    else:
        steps.add(check(args.clone, "exists"))
    return steps.finish()


def remove(vmname, *varargs, **kwargs):
    """qvm.remove NAME"""
    steps = Steps("qvm.remove", kwargs)
    steps.parser.flags("just-db", "quiet", "force-root")
    steps.parser.declare("vmname")
    args = steps.parser.read(vmname, *varargs, **kwargs)
    if not _halted(steps, args.vmname):
        if steps.add(shutdown(args.vmname, flags=["wait", "force"])).failed():
            return steps.finish()
    steps.run("/usr/bin/qvm-remove --force " + " ".join(args.argv))
    if not __opts__["test"]:
        steps.add(check(args.vmname, "missing"))
    return steps.finish()


def start(vmname, *varargs, **kwargs):
    """qvm.start NAME [flags=[quiet]]"""
    steps = Steps("qvm.start", kwargs)
    steps.parser.flags("quiet", "install-windows-tools", "debug")
    for name in ("drive", "hddisk", "cdrom", "custom-config"):
        steps.parser.declare("--" + name)
    steps.parser.declare("vmname")
    args = steps.parser.read(vmname, *varargs, **kwargs)
    if not steps.add(state(args.vmname, "running")):
        steps.run("/usr/bin/qvm-start " + " ".join(args.argv))
        if not __opts__["test"]:
            steps.add(state(args.vmname, "running"))
    return steps.finish()


def shutdown(vmname, *varargs, **kwargs):
    """qvm.shutdown NAME [flags=[force,wait,kill]]"""
    steps = Steps("qvm.shutdown", kwargs)
    steps.parser.flags("quiet", "kill", "force", "wait", "all")
    steps.parser.declare("--exclude", nargs="*", default=[])
    steps.parser.declare("vmname")
    args = steps.parser.read(vmname, *varargs, **kwargs)
    if __opts__["test"]:
        steps.add(message="VM is set to be killed" if args.kill
                  else "VM is set for shutdown")
        return steps.finish()
    if _halted(steps, args.vmname):
        return steps.finish()
    kill_it = "/usr/bin/qvm-kill " + args.vmname
    steps.run(kill_it if args.kill else "/usr/bin/qvm-shutdown " + " ".join(args.argv))
    if not _halted(steps, args.vmname) and args.force:
        steps.run(kill_it)
    _halted(steps, args.vmname)
    return steps.finish()


def kill(vmname, *varargs, **kwargs):
    """qvm.kill NAME"""
    steps = Steps("qvm.kill", kwargs)
    steps.parser.declare("vmname")
    args = steps.parser.read(vmname, *varargs, **kwargs)
    kwargs["flags"] = list(kwargs.get("flags") or []) + ["kill"]
    steps.add(shutdown(args.vmname, *varargs, **kwargs))
    return steps.finish()


# ------------------------------------------------------- settings of a qube
def prefs(vmname, *varargs, **kwargs):
    """qvm.prefs NAME [KEY...|get=[...]|KEY=VALUE...|set=[{...}]]"""
    if varargs:
        kwargs["get"] = list(varargs)
    if "get" in kwargs:
        kwargs.update(dict.fromkeys(kwargs.pop("get")), action="get")
    elif "set" in kwargs:
        for pairs in kwargs.pop("set"):
            kwargs.update(dict(pairs.items()))
        kwargs["action"] = "set"
    kwargs.setdefault("status-mode", "all")
    steps = Steps("qvm.create", kwargs)  # the real module's name for it, too
    steps.parser.declare("vmname")
    steps.parser.declare("action", nargs="?", default="list",
                         choices=("list", "get", "gry", "set"))
    args = steps.parser.read(vmname, *varargs, **kwargs)
    keys = [next(key for key in names if key in kwargs) for names in PREFS
            if any(key in kwargs for key in names)]
    if args.action == "list":
        if keys:
            args.action = "set"
        else:
            keys = [names[0] for names in PREFS]
    line = "{:<19}: {}".format
    if args.action == "get":
        for key in sorted(set(varargs) - set(keys)):
            steps.add(Status(retcode=1), message=line(key, "Invalid key!"))
    name = _existing(args.vmname) if keys else args.vmname
    for key in keys:
        prop = key.replace("-", "_")
        prop = RENAMED.get(prop, prop)
        if prop in ("pcidevs", "pci_strictreset"):
            if args.action == "set":
                raise CommandExecutionError("the stand-in does not know " + prop)
            steps.add(message=line(prop, {"pcidevs": []}.get(prop, True)))
            continue
        is_default, current = Model().get(name, prop)
        if is_default:
            current = "*default*"
        if args.action != "set":
            steps.add(message=line(prop, current))
            continue
        new = kwargs[key]
        if key in NONE_ALLOWED and new in ("none", ""):
            new = None
        if current == new:
            steps.add(message=line(prop, current), prefix="[SKIP] ")
            continue
        with Model.change() as model:  # also under test=True
            if new == "*default*":
                model.reset(name, prop)
            else:
                model.set(name, prop, "" if new is None else str(new))
        steps.add(Status(changes={prop: {"old": current, "new": new}}))
    return steps.finish()


LABELS = {"1": "Enabled", "": "Disabled", None: "Missing"}
VALUES = (("enable", "1"), ("disable", ""), ("default", None))


def _switches(function, what, prefix, vmname, varargs, kwargs):
    """qvm.features and qvm.service."""
    is_features = what == "Feature"
    actions = ["list"] + [name for name, _ in VALUES] + ["set"] * is_features
    if varargs and varargs[0] in ("enable", "disable") + (
            ("default",) if is_features else ()) and varargs[1:]:
        kwargs[varargs[0]] = list(varargs[1:])
    elif is_features and varargs and varargs[0] == "set" and varargs[1:]:
        kwargs["set"] = dict(pair.split("=", 1) for pair in varargs[1:])
    if is_features and "set" in kwargs:
        for index in range(len(kwargs["set"])):
            kwargs["set"][index] = dict(kwargs["set"][index])
        kwargs["set"] = json.dumps(kwargs["set"])
    kwargs.setdefault("status-mode", "all")
    steps = Steps(function, kwargs)
    steps.parser.declare("vmname")
    steps.parser.lists(*actions)
    args = steps.parser.read(vmname, *varargs, **kwargs)
    name = _existing(args.vmname)
    current = {key[len(prefix):]: value
               for key, value in Model().qube(name)["features"].items()
               if key.startswith(prefix)}
    pairs = json.loads(args.set[0]) if is_features and args.set else []
    if args.list is not None or not (
            args.enable or args.disable or args.default or pairs):
        for key, value in current.items():
            plain = not is_features or value in ("", "1")
            steps.add(message=key if plain else key + ": " + value,
                      prefix="[SET]      " if not plain
                      else "[ENABLED]  " if value else "[DISABLED] ")
        return steps.finish()
    seen, todo = set(), []
    for action in ("default", "disable", "enable"):  # an earlier one wins
        wanted = [key for key in dict.fromkeys(getattr(args, action)) if key not in seen]
        seen.update(wanted)
        setattr(args, action, wanted)
    for action, value in VALUES:
        todo += [(action, key, value) for key in getattr(args, action)]
    for pair in pairs:
        todo.append(("set", pair))
    for action, *rest in todo:
        if action == "set":
            (key, value), = rest[0].items()
        else:
            key, value = rest
        old = current.get(key)
        if old == value:
            steps.add(prefix="[SKIP] ", message="{} already in desired state: {} '{}' = {}"
                      .format(what, action.upper(), key, LABELS.get(old, old)))
            continue
        if not __opts__["test"]:
            with Model.change() as model:
                if value is None:
                    model.remove_feature(name, prefix + key)
                elif isinstance(value, bool):
                    model.set_feature(name, prefix + key, "1" if value else "")
                else:
                    model.set_feature(name, prefix + key, str(value))
        change = {"old": old, "new": value} if is_features else {
            "old": LABELS.get(old, old), "new": LABELS[value]}
        steps.add(Status(changes={key: change}))
    return steps.finish()


def features(vmname, *varargs, **kwargs):
    """qvm.features NAME [enable=[...]] [disable=[...]] [default=[...]] [set=[{...}]]"""
    return _switches("qvm.features", "Feature", "", vmname, varargs, kwargs)


def service(vmname, *varargs, **kwargs):
    """qvm.service NAME [enable=[...]] [disable=[...]] [default=[...]]"""
    return _switches("qvm.service", "Service", "service.", vmname, varargs, kwargs)


def tags(vmname, *varargs, **kwargs):
    """qvm.tags NAME [add|present=[...]] [del|absent=[...]]"""
    if varargs and varargs[0] in ("add", "del", "present", "absent") and varargs[1:]:
        kwargs[varargs[0]] = list(varargs[1:])
    steps = Steps("qvm.tags", kwargs)
    steps.parser.declare("vmname")
    steps.parser.declare("--list", nargs="*")
    steps.parser.declare("--add", "--present", dest="add", nargs="*", default=[])
    steps.parser.declare("--del", "--absent", dest="delete", nargs="*", default=[])
    args = steps.parser.read(vmname, *varargs, **kwargs)
    name = _existing(args.vmname)
    old = set(Model().qube(name)["tags"])
    if args.list is not None or not (args.add or args.delete):
        for tag in sorted(old):
            steps.add(message=tag)
        return steps.finish()
    delete = list(dict.fromkeys(args.delete))
    add = [tag for tag in dict.fromkeys(args.add) if tag not in delete]
    if __opts__["test"]:
        new = (old | set(add)) - set(delete)
    else:
        try:
            for tag in add:
                with Model.change() as model:
                    model.add_tag(name, tag)
            for tag in delete:
                with Model.change() as model:
                    model.discard_tag(name, tag)
        except QubesError as error:
            steps.add(Status(retcode=1), message=str(error))
            return steps.finish()
        new = set(Model().qube(name)["tags"])
    if new != old:
        steps.add(Status(changes={"old": sorted(old), "new": sorted(new)}))
    else:
        steps.add(prefix="[SKIP] ", message="All requested tags already set: "
                  + ",".join(sorted(old)))
    return steps.finish()


def firewall(vmname, *varargs, **kwargs):
    """qvm.firewall NAME [set=[RULE, ...]]"""
    steps = Steps("qvm.firewall", kwargs)
    steps.parser.declare("vmname")
    steps.parser.lists("list", "set")
    args = steps.parser.read(vmname, *varargs, **kwargs)
    old = Model().firewall(_existing(args.vmname))
    if args.list is not None or not args.set:
        for rule in old:
            steps.add(message=rule)
        return steps.finish()
    try:
        new = [canonical_rule(rule) for rule in args.set]
    except ValueError as error:
        steps.add(Status(retcode=1), message=str(error))
        return steps.finish()
    if new != old:
        if not __opts__["test"]:
            with Model.change() as model:
                model.set_firewall(args.vmname, new)
        steps.add(Status(changes={"old": "\n".join(old), "new": "\n".join(new)}))
    else:
        steps.add(prefix="[SKIP] ", message="All requested rules already set:\n"
                  + "\n".join(old))
    return steps.finish()


# ------------------------------------------------------------- not imitated
def _unknown(name):
    def function(*varargs, **kwargs):
        raise CommandExecutionError("the stand-in does not know qvm." + name)
    function.__name__ = name
    function.__doc__ = "Not imitated."
    return function


devices = _unknown("devices")
run = _unknown("run")
pause = _unknown("pause")
unpause = _unknown("unpause")
template_info = _unknown("template_info")
template_install = _unknown("template_install")
