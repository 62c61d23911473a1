# SPDX-License-Identifier: MIT OR Apache-2.0
"""A JSON file that stands in for qubesd, with qubesd's rules for what may be
written into it (those of release 4.3).

The file is $OPENCLAW_STANDIN_MODEL or /var/lib/qubes-standin/model.json. It is
read afresh for every call and replaced atomically under a lock, so that tools,
Salt and tests may use it at the same time.

A property's explicit value is in "prefs" (typed: int, bool, str; null is "no
qube"); everything else has a default computed here. "label" and "template" are
beside "prefs" because every qube (that may) has them.

Where there is a machine for it (see tests/box), a qube that is started boots, as a
container; one that provides network has only its state here.
"""
import contextlib
import fcntl
import ipaddress
import json
import os
import re
import socket
import string
import subprocess

DEFAULT_PATH = "/var/lib/qubes-standin/model.json"
LABELS = ["red", "orange", "yellow", "green", "gray", "blue", "purple", "black"]
CLASSES = ("AppVM", "DispVM", "StandaloneVM", "TemplateVM")
NO_RESPONSE = "Got empty response from qubesd. See journalctl in dom0 for details."
NO_ACCESS = "Failed to access '{}' property"


HYPERVISOR = "/mnt/xen/socket"


class QubesError(Exception):
    """What qubesd tells its client; the tools print it."""


class NoSuchProperty(QubesError, AttributeError):
    pass


class NotFound(QubesError, KeyError):
    def __str__(self):
        return self.args[0]


class ProtocolError(AssertionError):
    """A request that a well-behaved client does not make: nothing catches it."""


# ----------------------------------------------------------------- hypervisor
def hypervisor(**request):
    """Its answer; nothing where there is none."""
    if not os.path.exists(HYPERVISOR):
        return None
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(HYPERVISOR)
        wire.sendall(json.dumps(request).encode() + b"\n")
        answer = json.loads(wire.makefile().readline())
    if "error" in answer:
        raise QubesError(answer["error"])
    return answer


def _systemctl(*argv):
    subprocess.run(["systemctl", "--quiet", *argv], check=True)


# ---------------------------------------------------------------- properties
def _qube(key):
    return lambda model, qube: model.data.get(key)


def _default_ip(model, qube):
    networked = model.get(qube, "provides_network")[1] or model.get(qube, "netvm")[1]
    return "10.137.0.%d" % model.qube(qube)["qid"] if networked else ""


# name: (type, default, inherited from the template?)
PROPERTIES = {
    "audiovm": ("vm", "dom0", False),
    "autostart": (bool, False, False),
    "backup_timestamp": (int, None, False),
    "bootmode": (str, "default", False),
    "debug": (bool, False, False),
    "default_dispvm": ("vm", _qube("default_dispvm"), False),
    "default_user": (str, "user", True),
    "devices_denied": (str, "", False),
    "guivm": ("vm", "dom0", False),
    "include_in_backups": (bool, True, False),
    "installed_by_rpm": (bool, False, False),
    "ip": ("ip4", _default_ip, False),
    "ip6": ("ip6", "", False),
    "kernel": (str, lambda model, qube: model.data["kernels"][0], True),
    "kernelopts": (str, "swiotlb=2048", True),
    "keyboard_layout": (str, "us++", False),
    "mac": (str, "00:16:3e:5e:6c:00", False),
    "management_dispvm": ("vm", _qube("management_dispvm"), True),
    "maxmem": (int, 4000, True),
    "memory": (int, 400, True),
    "netvm": ("vm", _qube("default_netvm"), False),
    "provides_network": (bool, False, False),
    "qrexec_timeout": (int, 60, True),
    "shutdown_timeout": (int, 60, True),
    "stubdom_mem": (int, None, False),
    "vcpus": (int, 2, True),
    "virt_mode": (str, "pvh", True),
}
DVM_TEMPLATE = {"template_for_dispvms": (bool, False, False)}
ADMIN = ("default_dispvm", "devices_denied", "include_in_backups", "keyboard_layout")
READ_ONLY = ("icon", "klass", "updateable", "xid")
WRITE_ONCE = ("name", "qid")
POSITIVE = ("memory", "vcpus", "qrexec_timeout", "shutdown_timeout", "stubdom_mem")
SYSTEM_REFERENCES = ("default_dispvm", "default_netvm", "default_template",
                     "management_dispvm")


def _parse_bool(text):
    if text.lower() in ("1", "yes", "true", "on"):
        return True
    if text.lower() in ("0", "no", "false", "off"):
        return False
    raise QubesError("Invalid literal for boolean property: {!r}".format(text))


def check_name(name):
    if len(name) > 31:
        raise QubesError("VM name must be shorter than 32 characters")
    if re.match(r"[0-9_.-]", name):
        raise QubesError(
            "VM name cannot start with hyphen, underscore, dot or numbers")
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.-]*", name):
        raise QubesError("VM name contains illegal characters")
    if name == "Domain-0":
        raise QubesError("VM name cannot be 'Domain-0'")
    if name in ("none", "default"):
        raise QubesError("VM name cannot be 'none' nor 'default'")
    if name.endswith("-dm"):
        raise QubesError("VM name cannot end with -dm")


# ------------------------------------------------------------------ firewall
def _address(text):
    """(rule part or None, error) of a firewall destination, client's view."""
    host, slash, prefix = text.partition("/")
    if text.count("/") > 1:
        raise ValueError("Too many /: " + text)
    for family, part, bits in ((socket.AF_INET6, "dst6", 128),
                               (socket.AF_INET, "dst4", 32)):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        length = int(prefix) if slash else bits
        if length < 0:
            raise ValueError("netmask must be non-negative")
        if length > bits:
            raise ValueError("netmask for IPv%s must be <= %d" % (part[3], bits))
        return "%s=%s/%d" % (part, host, length) if length else None
    if slash:
        int(prefix)
        raise ValueError("Invalid IP address: " + host)
    if not set(text) <= set(string.ascii_lowercase + string.digits + "-._"):
        raise ValueError("Invalid hostname")
    return "dsthost=" + text


def _choice(name, *allowed):
    def parse(text):
        if text not in allowed:
            raise ValueError(text)
        return "%s=%s" % (name, text)
    return parse


def _ports(text):
    if text.count("-") > 1:
        raise ValueError(text)
    ends = [int(end) for end in text.split("-")]
    if any(not 0 <= end <= 65536 for end in ends):
        raise ValueError("Ports out of range")
    if ends[0] > ends[-1]:
        raise ValueError("Invalid port range")
    return "dstports=%d-%d" % (ends[0], ends[-1])


def _icmp(text):
    if not 0 <= int(text) <= 255:
        raise ValueError("ICMP type out of range")
    return "icmptype=" + text


def _expire(text):
    int(text)
    return "expire=" + text


RULE_PARTS = (
    ("action", _choice("action", "accept", "drop")),
    ("proto", _choice("proto", "tcp", "udp", "icmp")),
    ("dsthost", _address), ("dst4", _address), ("dst6", _address),
    ("specialtarget", _choice("specialtarget", "dns")),
    ("dstports", _ports),
    ("icmptype", _icmp),
    ("expire", _expire),
    ("comment", lambda text: "comment=" + text),
)
RULE_ORDER = ("action", "proto", "dst", "dstports", "icmptype", "specialtarget",
              "expire", "comment")


def canonical_rule(text):
    """One firewall rule as the client library writes it; ValueError if it would
    refuse the rule."""
    options, _, comment = text.partition("comment=")
    given = dict(option.split("=", 1) for option in options.split(" ") if option)
    if comment:
        given["comment"] = comment
    parts = {}
    for name, parse in RULE_PARTS:
        if name not in given:
            continue
        value = given.pop(name)
        if name == "dstports" and parts.get("proto") not in ("proto=tcp", "proto=udp"):
            raise ValueError("dstports valid only for 'tcp' and 'udp' protocols")
        if name == "icmptype" and parts.get("proto") != "proto=icmp":
            raise ValueError("icmptype valid only for 'icmp' protocol")
        parts["dst" if name in ("dsthost", "dst4", "dst6") else name] = parse(value)
    if given:
        raise ValueError("Unknown rule elements: {!r}".format(given))
    if "action" not in parts:
        raise ValueError("missing action=")
    return " ".join(parts[name] for name in RULE_ORDER if parts.get(name))


# --------------------------------------------------------------------- model
class Model:
    def __init__(self, path=None):
        self.path = path or os.environ.get("OPENCLAW_STANDIN_MODEL") or DEFAULT_PATH
        with open(self.path, encoding="utf-8") as file:
            self.data = json.load(file)
        running = hypervisor(do="list")
        for name, qube in self.data["qubes"].items():
            if running and self._boots(name):
                qube["running"] = name in running["names"]

    def _boots(self, name):
        qube = self.data["qubes"][name]
        return qube["class"] != "AdminVM" and not qube["prefs"].get("provides_network")

    @classmethod
    @contextlib.contextmanager
    def change(cls):
        """The model, to be written back when the block ends without an error."""
        path = os.environ.get("OPENCLAW_STANDIN_MODEL") or DEFAULT_PATH
        with open(path + ".lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            model = cls(path)
            yield model
            model.save()

    def save(self):
        temporary = self.path + ".new"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(self.data, file, indent=1, sort_keys=True)
            file.write("\n")
        os.replace(temporary, self.path)

    # reading
    def __contains__(self, name):
        return name in self.data["qubes"]

    def names(self):
        return sorted(self.data["qubes"])

    def qube(self, name):
        if name not in self:
            raise NotFound("No such domain: {!r}".format(name))
        return self.data["qubes"][name]

    def state(self, name):
        return "Running" if self.qube(name)["running"] else "Halted"

    def _definitions(self, name):
        klass = self.qube(name)["class"]
        if klass == "AdminVM":
            return {key: PROPERTIES[key] for key in ADMIN}
        if klass == "TemplateVM":
            return {**PROPERTIES, "netvm": ("vm", None, False)}
        return {**PROPERTIES, **DVM_TEMPLATE}

    def property_names(self, name):
        names = set(self._definitions(name)) | {"label", *READ_ONLY, *WRITE_ONCE}
        return sorted(names | ({"template"} if self._has_template(name) else set()))

    def _has_template(self, name):
        return self.qube(name)["class"] in ("AppVM", "DispVM")

    def get(self, name, prop):
        """(is it the default?, value); a qube or label is given by its name."""
        qube = self.qube(name)
        if prop not in self.property_names(name):
            raise NoSuchProperty("Invalid property {!r} of {}".format(prop, name))
        if prop in ("label", "template"):
            return False, qube[prop]
        computed = {"name": name, "qid": qube["qid"], "klass": qube["class"],
                    "xid": qube["qid"] if qube["running"] else -1,
                    "updateable": not self._has_template(name),
                    "icon": qube["class"].lower() + "-" + qube["label"]}
        if prop in computed:
            return prop not in WRITE_ONCE, computed[prop]
        if prop in qube["prefs"]:
            return False, qube["prefs"][prop]
        _, default, inherited = self._definitions(name)[prop]
        if inherited and self._has_template(name):
            return True, self.get(qube["template"], prop)[1]
        return True, default(self, name) if callable(default) else default

    def users(self, name):
        """(qube or None for the system, property) of everything that refers to it."""
        found = [(None, key) for key in SYSTEM_REFERENCES if self.data.get(key) == name]
        for other, qube in sorted(self.data["qubes"].items()):
            if other != name:
                kinds = self._definitions(other)
                found += [(other, key) for key, value in sorted(qube["prefs"].items())
                          if value == name and kinds[key][0] == "vm"]
                if qube.get("template") == name:
                    found.append((other, "template"))
        return found

    def clients(self, name):
        return [other for other in self.names() if other != "dom0"
                and self.get(other, "netvm")[1] == name]

    # writing; the caller holds the model through change()
    def create(self, klass, name, label, template=None, source=None):
        if klass not in CLASSES:
            raise QubesError(NO_RESPONSE)
        if template and klass not in ("AppVM", "DispVM"):
            raise ProtocolError("{} cannot be based on template".format(klass))
        check_name(name)
        if name in self:
            raise QubesError("Qube already exists: {}".format(name))
        if template and template not in self:
            raise NotFound("No such domain: {!r}".format(template))
        if label not in self.data["labels"]:
            raise NotFound("Label does not exist: untrusted label")
        used = {qube["qid"] for qube in self.data["qubes"].values()}
        qube = {"class": klass, "label": label, "running": False, "prefs": {},
                "features": {}, "firewall": ["action=accept"],
                "tags": ["audiovm-dom0", "created-by-dom0", "guivm-dom0"],
                "qid": min(set(range(1, 255)) - used)}
        if klass in ("AppVM", "DispVM"):
            key = "default_template" if klass == "AppVM" else "default_dispvm"
            qube["template"] = template or self.data.get(key)
            if not qube["template"]:
                raise QubesError("Template for the qube not specified, nor default "
                                 "template set.")
            self._check_template(klass, qube["template"])
        self.data["qubes"][name] = qube
        if not source:
            hypervisor(do="create", name=name, source=qube.get("template"), klass=klass)

    def _check_template(self, klass, template):
        actual = self.qube(template)["class"]
        if klass == "AppVM" and actual != "TemplateVM":
            raise QubesError("wrong VM class: domains[{!r}] is of type {} and not "
                             "TemplateVM".format(template, actual))
        if klass == "DispVM" and not self.qube(template)["prefs"].get(
                "template_for_dispvms"):
            raise QubesError("template for DispVM ({}) needs to be an AppVM with "
                             "template_for_dispvms=True".format(template))

    def clone(self, source, name, klass=None):
        old = self.qube(source)
        template = old.get("template") if klass in (None, "AppVM", "DispVM") else None
        klass = klass or old["class"]
        self.create(klass, name, old["label"], template, source)
        hypervisor(do="create", name=name, source=source, klass=klass)
        new = self.qube(name)
        new["prefs"] = {key: value for key, value in old["prefs"].items()
                        if key != "installed_by_rpm"}
        new["features"] = dict(old["features"])
        new["firewall"] = list(old["firewall"])
        for tag in old["tags"]:
            if not tag.startswith("created-by-"):
                self.add_tag(name, tag)

    def remove(self, name):
        qube = self.qube(name)
        if name == "dom0":
            raise QubesError("'dom0' cannot be removed")
        if qube["prefs"].get("installed_by_rpm"):
            raise QubesError("VM installed by package manager: " + name)
        if qube["running"]:
            raise QubesError("Domain is not powered off: {!r}".format(name))
        if self.users(name):
            raise QubesError("Domain is in use: {!r};  see 'journalctl -u qubesd -e' "
                             "in dom0 for details".format(name))
        del self.data["qubes"][name]
        hypervisor(do="remove", name=name)

    def start(self, name):
        qube = self.qube(name)
        if qube["running"]:
            return
        if qube["features"].get("prohibit-start"):
            raise QubesError("Qube start is prohibited. Rationale: "
                             + qube["features"]["prohibit-start"])
        netvm = self.get(name, "netvm")[1]
        if netvm:
            self.start(netvm)
        if self._boots(name) and hypervisor(do="start", name=name, netvm=netvm,
                                            ip=self.get(name, "ip")[1]) is not None:
            _systemctl("restart", "qubes-standin-qrexec@" + name)
        qube["running"] = True

    def shutdown(self, name, force=False, kill=False):
        qube = self.qube(name)
        if not qube["running"]:
            raise QubesError("Domain is powered off: {!r}".format(name))
        users = [user for user in self.clients(name) if self.qube(user)["running"]]
        if users and not force:
            raise QubesError("There are other VMs connected to this VM: "
                             + ", ".join(users))
        if self._boots(name):
            hypervisor(do="kill" if kill else "shutdown", name=name,
                       timeout=self.get(name, "shutdown_timeout")[1])
        qube["running"] = False

    def reset(self, name, prop):
        is_default, _ = self.get(name, prop)
        if prop == "template":
            raise QubesError("Cannot unset template. You can set it to the current "
                             "default ({}) instead".format(self.data["default_template"]))
        if prop in WRITE_ONCE or prop == "label":
            raise QubesError(NO_ACCESS.format(prop))
        if not is_default:
            explicit = self.qube(name)["prefs"].pop(prop)
            if prop == "netvm" and explicit != self.get(name, "netvm")[1]:
                self._check_netvm(name, self.get(name, "netvm")[1])

    def set(self, name, prop, text):
        """Set a property from the string that a client sends."""
        old = self.get(name, prop)[1]
        qube = self.qube(name)
        if prop in READ_ONLY:
            raise QubesError("property {!r} on {} instance cannot be set".format(
                prop, qube["class"]))
        if prop in WRITE_ONCE:
            raise QubesError(NO_ACCESS.format(prop))
        if prop == "label":
            if text not in self.data["labels"]:
                raise NotFound("Label does not exist: {}".format(text))
            qube["label"] = text
            return
        kind = "vm" if prop == "template" else self._definitions(name)[prop][0]
        value = self._parse(prop, kind, text)
        self._check(name, prop, value, old)
        if prop == "template":
            qube["template"] = value
        else:
            qube["prefs"][prop] = value
        if prop == "autostart" and os.path.exists(HYPERVISOR):
            _systemctl("enable" if value else "disable", "qubes-vm@" + name)

    def _parse(self, prop, kind, text):
        if not text.isascii():
            raise QubesError("Non-ASCII bytes in property value")
        if kind is bool:
            return _parse_bool(text)
        if kind == "vm":
            if text == "":
                return None
            check_name(text)
            if text not in self:
                raise QubesError("Can't set {} to non-existing qube {}".format(
                    prop, text))
            return text
        typed = {"ip4": ipaddress.IPv4Address, "ip6": ipaddress.IPv6Address}.get(kind, kind)
        if typed is str:
            if not set(text) <= set(string.printable):
                raise QubesError("Invalid characters in property value")
            return text.lower() if prop in ("mac", "virt_mode") else text
        try:
            value = typed(text)
        except ValueError:
            raise QubesError("Failed to parse property value as "
                             + typed.__name__) from None
        return value if kind is int else str(value)

    def _check(self, name, prop, value, old):
        """The rules that are particular to one property."""
        qube = self.qube(name)
        if prop in POSITIVE and value <= 0:
            raise QubesError("{} must be positive".format(prop))
        if prop == "maxmem":
            if value < 0:
                raise QubesError("maxmem must be positive or zero")
            if (value != old and qube["running"]
                    and qube["features"].get("memory-hotplug") == ""):
                raise QubesError("Can't change maxmem of VM {}, because it isn't Halted "
                                 "and memory hotplug is forbidden".format(name))
        elif prop == "template":
            if value is None:
                raise QubesError("Invalid value '' for property 'template' of " + name)
            self._check_template(qube["class"], value)
            if qube["running"]:
                raise QubesError("Cannot change template while qube is running")
        elif prop == "netvm":
            self._check_netvm(name, value)
        elif prop == "provides_network" and not value and self.clients(name):
            raise QubesError("The qube is still used by other qubes, change theirs "
                             "'netvm' first")
        elif prop in ("default_dispvm", "management_dispvm") and value and not self.qube(
                value)["prefs"].get("template_for_dispvms"):
            raise QubesError("Cannot set invalid property to qube {!r}, {} {!r} has "
                             "template_for_dispvms set to False".format(name, prop, value))
        elif prop == "virt_mode" and value not in ("hvm", "pv", "pvh"):
            raise QubesError("Invalid virtualization mode, supported values: "
                             "hvm, pv, pvh")
        elif prop == "kernel" and value and value not in self.data["kernels"]:
            raise QubesError("Kernel {!r} not installed".format(value))
        elif prop == "kernelopts" and len(value) > 512:
            raise QubesError("Kernelopts value too long (512 chars max)")
        elif prop == "default_user" and not re.fullmatch(r"[A-Za-z0-9_+,.-]*", value):
            raise QubesError("Username can contain only those characters: "
                             + string.ascii_letters + string.digits + "_-+,.")
        elif prop == "mac" and not re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", value):
            raise QubesError(NO_ACCESS.format(prop))
        elif prop == "devices_denied" and not re.fullmatch(r"([bump*][0-9a-f*]{6})*", value):
            raise QubesError(NO_ACCESS.format(prop))
        elif prop == "keyboard_layout" and not re.fullmatch(
                r"[A-Za-z]+\+[\w-]*\+[\w:,-]*", value):
            raise QubesError("Invalid keyboard layout provided")

    def _check_netvm(self, name, value):
        if value is None:
            return
        if value == "dom0":
            raise QubesError(NO_ACCESS.format("netvm"))
        if not self.get(value, "provides_network")[1]:
            raise QubesError("The {} qube does not provide network".format(value))
        above = value
        while above:
            if above == name:
                raise QubesError("Loops in network are unsupported")
            above = self.get(above, "netvm")[1]
        if self.qube(name)["running"] and not self.qube(value)["running"]:
            raise QubesError("Cannot dynamically attach to stopped qube " + value)

    def set_feature(self, name, feature, value):
        if not re.fullmatch(r"[a-zA-Z0-9_.-]+", feature):
            raise ProtocolError("feature name contains illegal characters")
        if not re.fullmatch(r"[\x20-\x7E]*", value):
            raise ProtocolError("{} value contains illegal characters".format(feature))
        self.qube(name)["features"][feature] = value

    def remove_feature(self, name, feature):
        if feature not in self.qube(name)["features"]:
            raise NotFound("Feature not set for domain {}: {}".format(name, feature))
        del self.qube(name)["features"][feature]

    @staticmethod
    def _check_tag(tag):
        if not tag:
            raise ProtocolError("expected an argument")
        if " " in tag:
            raise QubesError(NO_RESPONSE)
        if not re.fullmatch(r"[a-zA-Z0-9_-]+", tag):
            raise QubesError("disallowed characters")

    def add_tag(self, name, tag):
        self._check_tag(tag)
        tags = self.qube(name)["tags"]
        tags[:] = sorted({*tags, tag})

    def discard_tag(self, name, tag):
        self._check_tag(tag)
        tags = self.qube(name)["tags"]
        tags[:] = sorted({*tags} - {tag})

    def firewall(self, name):
        if name == "dom0":
            raise ProtocolError("expected destination to not be AdminVM")
        return self.qube(name)["firewall"]

    def set_firewall(self, name, rules):
        """Rules are canonical ones; what qubesd dislikes beyond the client ends
        in no response at all."""
        safe = set(string.ascii_letters + string.digits + ":;,./-_[] =")
        for rule in rules:
            if not set(rule) <= safe or re.search(r"dstports=\S*65536", rule):
                raise QubesError(NO_RESPONSE)
        self.firewall(name)[:] = rules


# What Qubes 4.3 supports. Fedora 42 ended in May 2026, but is what app qubes are made from by
# default.
TEMPLATES = ("fedora-42-xfce", "fedora-43-xfce", "fedora-44-xfce", "debian-13-xfce")


def initial():
    """A machine as the installer leaves it, more or less."""
    os_features = {"gui": "1", "os": "Linux", "qrexec": "1"}
    data = {"labels": LABELS, "kernels": ["6.12.59-1.fc41"], "qubes": {},
            "default_template": "fedora-43-xfce", "default_netvm": "sys-firewall",
            "default_dispvm": "default-dvm", "management_dispvm": "default-mgmt-dvm"}
    rows = (
        ("dom0", "AdminVM", "black", True, {}, {}),
        *((name, "TemplateVM", "black", False, {},
           {**os_features, "os-distribution": name.split("-")[0],
            "os-version": name.split("-")[1], "template-name": name}) for name in TEMPLATES),
        ("sys-net", "AppVM", "red", True,
         {"autostart": True, "maxmem": 0, "netvm": None, "provides_network": True,
          "virt_mode": "hvm"}, {"servicevm": "1", "service.clocksync": "1"}),
        ("sys-firewall", "AppVM", "green", True,
         {"autostart": True, "netvm": "sys-net", "provides_network": True},
         {"servicevm": "1"}),
        ("default-dvm", "AppVM", "red", False, {"template_for_dispvms": True}, {}),
        ("default-mgmt-dvm", "AppVM", "black", False,
         {"netvm": None, "template_for_dispvms": True}, {"internal": "1"}),
        ("personal", "AppVM", "yellow", False, {}, {}),
        ("work", "AppVM", "blue", False, {}, {}),
        ("vault", "AppVM", "black", False, {"netvm": None}, {}),
    )
    for qid, (name, klass, label, running, prefs, features) in enumerate(rows):
        qube = {"class": klass, "label": label, "running": running, "prefs": prefs,
                "features": dict(features), "qid": qid, "firewall": ["action=accept"],
                "tags": ["audiovm-dom0", "created-by-dom0", "guivm-dom0"]}
        if klass == "AdminVM":
            qube.update(tags=[], firewall=[])
        if klass == "AppVM":
            qube["template"] = data["default_template"]
        data["qubes"][name] = qube
    return data
