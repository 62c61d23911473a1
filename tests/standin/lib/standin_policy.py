# SPDX-License-Identifier: MIT OR Apache-2.0
"""Stand-in for the evaluation of qrexec's policy, as Qubes documents it: files in
the order of their names, the first rule that matches decides, and where none does
the call is denied. One malformed file denies every call (a trap that is kept).

Not imitated, and refused as malformed: includes, `!compat-4.0`, `uuid:` names and
RemoteVMs.
"""
import os
import re
import string
import sys
from dataclasses import dataclass, field

FOLDERS = ("/run/qubes/policy.d", "/etc/qubes/policy.d")
FILE_NAME = set(string.digits + string.ascii_lowercase + "_.-")
SERVICE = set(string.ascii_letters + string.digits + "+-._")
PREFIXES = ("@type:", "@tag:", "@dispvm:@tag:", "@dispvm:")
# What may stand where, beside the names of qubes.
SOURCE = {"*", "@adminvm", "@anyvm"}
TARGET = SOURCE | {"@default", "@dispvm"}
REDIRECT = {"@adminvm", "@dispvm"}
OPTIONS = {"allow": {"target", "user", "notify", "autostart"},
           "ask": {"target", "default_target", "user", "notify", "autostart"},
           "deny": {"notify"}}


class PolicyError(ValueError):
    """A file that qrexec would not load."""


@dataclass
class Decision:
    action: str
    rule: str = None
    target: str = None
    user: str = None
    autostart: bool = True
    notify: bool = False
    targets: list = field(default_factory=list)
    default_target: str = None
    error: str = None


def check_call(service, target):
    """A call's service and target as the daemon passes them on: what is not allowed in
    a name has become an underscore."""
    def clean(text, extra):
        return re.sub("[^A-Za-z0-9_.{}-]".format(re.escape(extra)), "_",
                      text.encode("utf-8", "surrogateescape").decode("latin-1"))

    name, plus, argument = service.partition("+")
    if not name:
        raise ValueError("no service name")
    return clean(name, "") + plus + clean(argument, "+"), clean(target, "@:") or "@default"


def _is_dom0(name):
    return name in ("dom0", "@adminvm")


def _dispvm_of(machine, source):
    """The template that a qube's disposables have by default, as a target."""
    qube = machine["qubes"].get(source)
    if qube is None:
        return None
    template = qube["prefs"].get("default_dispvm", machine.get("default_dispvm"))
    return "@dispvm:" + template if template else None


def _makes_disposables(machine, name):
    qube = machine["qubes"].get(name)
    return qube is not None and bool(qube["prefs"].get("template_for_dispvms"))


def _tagged(machine, name, tag):
    qube = machine["qubes"].get(name)
    return qube is not None and tag in qube["tags"]


def matches(machine, token, name, source=None):
    """Whether a rule's source or target is this qube or target."""
    qube = machine["qubes"].get(name)
    if token == "*":
        return True
    if _is_dom0(token):
        return _is_dom0(name)
    if token == "@anyvm":
        return not _is_dom0(name)
    if token.startswith("@type:"):
        return qube is not None and qube["class"] == token[len("@type:"):]
    if token.startswith("@tag:"):
        return _tagged(machine, name, token[len("@tag:"):])
    if token.startswith("@dispvm:"):
        if name == "@dispvm" and source is not None:
            name = _dispvm_of(machine, source)
        if name is None or not name.startswith("@dispvm:"):
            return False
        if not token.startswith("@dispvm:@tag:"):
            return name == token
        template = name[len("@dispvm:"):]
        return (_makes_disposables(machine, template)
                and _tagged(machine, template, token[len("@dispvm:@tag:"):]))
    return token == name  # a qube, @default or @dispvm


def _expand(machine, token):
    """Every target that a rule's target stands for."""
    qubes = machine["qubes"]
    if token in ("*", "@anyvm"):
        names = {name for name in qubes if token == "*" or name != "dom0"}
        return names | {"@dispvm:" + name for name in qubes
                        if _makes_disposables(machine, name)} | {"@dispvm"}
    if token == "@default":
        return set()
    if token in ("@adminvm", "@dispvm"):
        return {token}
    if token.startswith(("@type:", "@tag:")):
        return {name for name in qubes if matches(machine, token, name)}
    if token.startswith("@dispvm:@tag:"):
        return {"@dispvm:" + name for name in qubes
                if matches(machine, token, "@dispvm:" + name)}
    if token.startswith("@dispvm:"):
        return {token} if _makes_disposables(machine, token[len("@dispvm:"):]) else set()
    return {token} & set(qubes)


def _token(token, keywords, prefixes, what, place):
    if token.startswith("uuid:"):
        raise PolicyError("{}: the stand-in knows no uuid".format(place))
    if token in keywords or not (token.startswith("@") or token == "*"):
        return token
    for prefix in prefixes:
        value = token[len(prefix):]
        if token.startswith(prefix) and value and not value.startswith("@"):
            return token
    raise PolicyError("{}: invalid {} token: {!r}".format(place, what, token))


class Rule:
    def __init__(self, line, place):
        self.place = place
        words = line.split()
        if len(words) < 5:
            raise PolicyError(place + ": wrong number of fields")
        self.service, self.argument, self.source, self.target, self.action, *options = words
        self._check_service()
        _token(self.source, SOURCE, PREFIXES, "source", place)
        _token(self.target, TARGET, PREFIXES, "target", place)
        if self.action not in OPTIONS:
            raise PolicyError("{}: invalid action: {}".format(place, self.action))
        self.options = {}
        for option in options:
            name, equals, value = option.partition("=")
            if not equals or name in self.options or name not in OPTIONS[self.action]:
                raise PolicyError("{}: invalid parameter: {!r}".format(place, option))
            if name in ("notify", "autostart"):
                if value not in ("yes", "no"):
                    raise PolicyError("{}: {!r} can be only yes or no".format(place, option))
                value = value == "yes"
            elif name in ("target", "default_target"):
                if not value:
                    raise PolicyError("{}: invalid empty token: {!r}".format(place, option))
                _token(value, REDIRECT, ("@dispvm:",), name, place)
            self.options[name] = value
        if (self.target == "@default" and self.action == "allow"
                and "target" not in self.options):
            raise PolicyError(place + ": allow for @default needs target=")

    def _check_service(self):
        if self.service != "*" and not set(self.service) <= SERVICE - {"+"}:
            raise PolicyError("{}: invalid service: {!r}".format(self.place, self.service))
        if self.argument != "*":
            if not set(self.argument) <= SERVICE or self.argument[0] != "+":
                raise PolicyError("{}: invalid argument: {!r}".format(
                    self.place, self.argument))
            if self.service == "*":
                raise PolicyError(self.place + ": only * argument for * service")

    def is_for(self, machine, source, service, argument):
        return (self.service in ("*", service) and self.argument in ("*", argument)
                and matches(machine, self.source, source))

    def to(self):
        return self.options.get("target") or self.target


def _rules(path):
    """The rules of a file, or what is wrong with its first bad line."""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line, place = line.strip(), "{}:{}".format(path, number)
            if line.startswith("!"):
                raise PolicyError(place + ": the stand-in knows no directives")
            if line and line[0] != "#":
                yield Rule(line, place)


class Policy:
    def __init__(self, folders=None):
        self.rules = []
        files = {}
        for folder in folders or FOLDERS:
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                if (name.endswith(".policy") and not name.startswith(".")
                        and os.path.isfile(path)):
                    if not set(name) <= FILE_NAME:
                        raise PolicyError("invalid filename: " + path)
                    files.setdefault(name, path)
        for _, path in sorted(files.items()):
            self.rules += _rules(path)

    def decide(self, machine, source, target, service, argument):
        """`argument` begins with a plus sign, also where there is none."""
        assert argument.startswith("+"), argument
        target = target or "@default"
        try:
            target = _intended(machine, target)
        except PolicyError as error:
            return Decision("deny", error=str(error))
        for rule in self.rules:
            if (rule.is_for(machine, source, service, argument)
                    and matches(machine, rule.target, target, source)):
                return getattr(self, "_" + rule.action)(
                    rule, machine, source, target, service, argument)
        return Decision("deny", error="no matching rule found", notify=True)

    def _deny(self, rule, *_):
        return Decision("deny", rule.place, notify=rule.options.get("notify", True))

    def _allow(self, rule, machine, source, target, *_):
        def denied(error):
            return Decision("deny", rule.place, error=error, notify=True)

        try:
            target = _intended(machine, rule.options.get("target") or target)
        except PolicyError as error:
            return denied(str(error))
        if target == "@default":
            return denied("no target is specified by caller or policy")
        if target == "@dispvm":
            target = _dispvm_of(machine, source)
            if target is None:
                return denied("no DispVM base is set for this VM")
        elif target == "@adminvm":
            target = "dom0"
        autostart = rule.options.get("autostart", True)
        if not autostart and not _runs(machine, target):
            return denied("target {} would require autostart".format(target))
        if source == target:
            return denied("loopback qrexec connection not supported")
        return Decision("allow", rule.place, target, rule.options.get("user"), autostart,
                        rule.options.get("notify", False))

    def _ask(self, rule, machine, source, _, service, argument):
        autostart = rule.options.get("autostart", True)
        if "target" in rule.options:
            wanted = rule.options["target"]
            targets = {"dom0" if _is_dom0(wanted) else wanted}
        else:
            targets = self._targets(machine, source, service, argument)
        targets = sorted(name for name in targets if autostart or _runs(machine, name))
        if not targets:
            return Decision("deny", rule.place, error="no target to choose from", notify=True)
        default = rule.options.get("default_target")
        if default == "@dispvm":
            default = _dispvm_of(machine, source)
        elif default and _is_dom0(default):
            default = "dom0"
        return Decision("ask", rule.place, None, rule.options.get("user"), autostart,
                        rule.options.get("notify", False), targets,
                        default if default in targets else None)

    def _targets(self, machine, source, service, argument):
        targets = set()
        for rule in reversed(self.rules):
            if rule.is_for(machine, source, service, argument):
                found = _expand(machine, rule.to())
                targets = targets - found if rule.action == "deny" else targets | found
        if "@dispvm" in targets:
            targets = targets - {"@dispvm"} | {_dispvm_of(machine, source)} - {None}
        if "@adminvm" in targets:
            targets = targets - {"@adminvm"} | {"dom0"}
        return {name for name in targets - {source}
                if not machine["qubes"].get(name.removeprefix("@dispvm:"), {}).get(
                    "features", {}).get("internal")}


def _intended(machine, target):
    """A target that a call may have: an unknown one is @default."""
    if target in ("@adminvm", "@default", "@dispvm"):
        return target
    if target.startswith("@dispvm:") and not target.startswith("@dispvm:@"):
        if not _makes_disposables(machine, target[len("@dispvm:"):]):
            raise PolicyError("not a template for dispvm: " + target)
        return target
    if target.startswith("@"):
        raise PolicyError("invalid target: " + target)
    return target if target in machine["qubes"] else "@default"


def _runs(machine, target):
    if target == "dom0":
        return True
    return machine["qubes"].get(target, {}).get("running", False)


def load(folders=None):
    return Policy(folders)


def decide(folders, machine, source, target, service, argument):
    """Loads the policy and decides one call, as qrexec's policy daemon does when files
    have changed."""
    try:
        return Policy(folders).decide(machine, source, target, service, argument)
    except (PolicyError, OSError) as error:
        return Decision("deny", error=str(error), notify=True)


def lint(paths):
    """qubes-policy-lint: whether qrexec would load each of the files, whatever its name."""
    if not paths or any(path.startswith("-") for path in paths):
        print("usage: qubes-policy-lint FILE [FILE ...]", file=sys.stderr)
        return 2
    for path in paths:
        try:
            list(_rules(path))
        except (PolicyError, OSError, UnicodeDecodeError) as error:
            print(error)
            return 1
    return 0
