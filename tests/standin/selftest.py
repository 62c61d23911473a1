#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Proves with a real Salt that the stand-in does what Qubes does, faults included.

    SALT_CALL=/path/to/salt-call tests/standin/selftest.py
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
SALT_CALL = os.environ.get("SALT_CALL", "salt-call")
TAGS = ["audiovm-dom0", "created-by-dom0", "guivm-dom0"]
PRESENT = [{"class": "StandaloneVM"}, {"template": "debian-13-xfce"}, {"label": "orange"}]
PREFS = [{"label": "orange"}, {"netvm": "sys-firewall"}, {"ip": "10.137.0.77"},
         {"memory": 2000}, {"maxmem": 8000}, {"vcpus": 4}, {"autostart": True},
         {"include_in_backups": True}]
CREATE = ("/usr/bin/qvm-create {} --class=StandaloneVM --template=debian-13-xfce "
          "--label=orange ")
RULES = ["action=accept specialtarget=dns",
         "action=accept proto=tcp dsthost=api.anthropic.com dstports=443", "action=drop"]


def part(action, text):
    return "====== ['{}'] ======\n{}".format(action, text)


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.model = os.path.join(self.folder.name, "model.json")
        self.env = {**os.environ, "OPENCLAW_STANDIN_MODEL": self.model}
        self.tool("qubes-standin", "init", self.model)
        self.write("minion", {
            "id": "dom0", "file_client": "local", "root_dir": self.folder.name,
            "file_roots": {"base": [self.folder.name]},
            "module_dirs": [os.path.join(HERE, "qvm")]})

    def write(self, name, data):
        with open(os.path.join(self.folder.name, name), "w", encoding="utf-8") as file:
            json.dump(data, file)

    def tool(self, name, *argv, code=0):
        done = subprocess.run([os.path.join(HERE, "bin", name), *argv], env=self.env,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done)
        self.stderr = done.stderr
        return done.stdout

    def salt(self, *argv):
        done = subprocess.run(
            [SALT_CALL, "--local", "-l", "quiet", "-c", self.folder.name, "--out", "json",
             *argv], env=self.env, capture_output=True, text=True)
        return json.loads(done.stdout)["local"]

    def apply(self, *states, test=False):
        """States as (function, name, arguments...), in order; a list of results."""
        self.write("it.sls", {
            "s%03d" % number: {"qvm." + function: [{"name": name}, *arguments]}
            for number, (function, name, *arguments) in enumerate(states)})
        result = self.salt("state.apply", "it", "test=%s" % test)
        if isinstance(result, list):
            return result
        return [result[key] for key in sorted(
            result, key=lambda key: result[key]["__run_num__"])]

    def qube(self, name):
        with open(self.model, encoding="utf-8") as file:
            return json.load(file)["qubes"].get(name)

    def expect(self, result, ok, comment=None, changes=None):
        self.assertIs(result["result"], ok, result)
        if comment is not None:
            self.assertEqual(result["comment"], comment)
        if changes is not None:
            self.assertEqual(result["changes"], changes)

    def raises(self, result, text=""):
        self.expect(result, False, changes={})
        self.assertIn("An exception occurred in this state", result["comment"])
        self.assertIn(text, result["comment"])


class Qube(Case):
    def test_whole_qube_twice(self):
        state = ("vm", "claw", {"present": PRESENT}, {"prefs": PREFS},
                 {"tags": [{"add": ["oc"]}]},
                 {"features": [{"enable": ["servicevm"]}, {"set": [{"m": "x"}]}]},
                 {"firewall": [{"set": RULES}]})
        first, second = self.apply(state, ("vm", "claw", *state[2:]))
        new = {key: value for pair in PREFS[1:] for key, value in pair.items()}
        self.expect(first, True, "\n\n".join([
            part("present", CREATE.format("claw")),
            part("prefs", "[SKIP] label              : orange"),
            part("features", ""), part("firewall", ""), part("tags", "")]), {
                "qvm.prefs": {"qvm.create": {
                    key: {"old": "*default*", "new": value} for key, value in new.items()}},
                "qvm.features": {"qvm.features": {
                    "servicevm": {"old": None, "new": "1"}, "m": {"old": None, "new": "x"}}},
                "qvm.firewall": {"qvm.firewall": {
                    "old": "action=accept",
                    "new": "\n".join(RULES).replace("443", "443-443")}},
                "qvm.tags": {"qvm.tags": {"old": TAGS, "new": sorted(TAGS + ["oc"])}}})
        self.expect(second, True, changes={})
        self.assertIn("[SKIP] A VM with the name 'claw' already exists.", second["comment"])
        self.assertIn("[SKIP] autostart          : True\n[SKIP] label              : orange"
                      "\n[SKIP] include_in_backups : True\n", second["comment"])
        self.assertIn("[SKIP] Feature already in desired state: ENABLE 'servicevm' = Enabled"
                      "\n[SKIP] Feature already in desired state: SET 'm' = x",
                      second["comment"])
        again, = self.apply(state, test=True)
        self.expect(again, None, second["comment"], {})
        self.assertEqual(self.qube("claw")["features"]["os"], "Linux")  # the template's

    def test_failed_creation(self):
        no_template, appvm, label, no_label, guarded, klass, name = self.apply(
            ("vm", "a", {"present": [{"class": "StandaloneVM"}, {"template": "no"},
                                     {"label": "red"}]}),
            ("present", "b", {"template": "no"}, {"label": "red"}),
            ("present", "c", {"label": "pink"}),
            ("present", "d", {"template": "debian-13-xfce"}),
            ("vm", "e", {"present": [{"template": "no"}, {"label": "red"}]},
             {"prefs": [{"netvm": "none"}]}, {"tags": [{"add": ["t"]}]}),
            ("present", "f", {"label": "red"}, {"class": "NoVM"}),
            ("present", "1g", {"label": "red"}))
        for result in no_template, appvm, label, no_label, klass, name:
            self.expect(result, True, changes={})
            self.assertIn("====== stderr ======\n/usr/bin/qvm-create ", result["comment"])
        self.assertIn("KeyError: 'no'", no_template["comment"])
        self.assertIn("app: Error creating VM: No such domain: 'no'", appvm["comment"])
        self.assertIn("no such label: 'pink'", label["comment"])
        self.assertIn("--label option is mandatory", no_label["comment"])
        self.expect(guarded, False, changes={})
        self.assertTrue(guarded["comment"].endswith(
            part("prefs", "Virtual Machine does not exist!\n\n")
            + part("tags", "[SKIP] Skipping due to previous failure!")), guarded)
        self.assertIsNone(self.qube("a") or self.qube("b") or self.qube("c"))

    def test_dry_run_of_a_new_qube(self):
        both, alone, bad = self.apply(
            ("vm", "a", {"present": PRESENT}, {"prefs": PREFS}),
            ("vm", "b", {"present": PRESENT}),
            ("present", "c", {"template": "no"}, {"label": "pink"}), test=True)
        self.expect(both, False, part("present", "[TEST] " + CREATE.format("a")) + "\n\n"
                    + part("prefs", "Virtual Machine does not exist!"), {})
        self.expect(alone, None, part("present", "[TEST] " + CREATE.format("b")), {})
        self.expect(bad, None, changes={})
        self.assertIsNone(self.qube("a") or self.qube("b"))

    def test_existing_qube_is_skipped(self):
        for test, ok in (False, True), (True, None):
            result, = self.apply(("vm", "work", {"present": PRESENT}), test=test)
            self.expect(result, ok, part(
                "present", "[SKIP] A VM with the name 'work' already exists."), {})
        self.assertEqual(self.qube("work")["class"], "AppVM")

    def test_arguments(self):
        unknown, action, mapping, null, flags = self.apply(
            ("present", "a", {"label": "red"}, {"colour": "blue"}),
            ("vm", "a", {"presents": []}),
            ("vm", "b", {"present": {"label": "red"}}),
            ("vm", "b", {"present": None}),
            ("vm", "c", {"present": [{"label": "red"}, {"flags": ["proxy", "bogus"]}]}))
        self.expect(unknown, True)
        self.expect(action, False, "Unknown action keyword: presents", {})
        self.expect(mapping, True)  # nothing of it is used, so no label, so no qube
        self.assertIsNone(self.qube("b"))
        self.raises(null, "NoneType")
        self.expect(flags, True)
        self.assertIs(self.qube("c")["prefs"]["provides_network"], True)
        several, = self.apply(("prefs", "work", {"memory": 1, "vcpus": 1}))
        self.expect(several, True)  # only `features: set` minds several keys in one item
        self.assertEqual(self.qube("work")["prefs"], {"memory": 1, "vcpus": 1})

    def test_absent_and_clone(self):
        cloned, again, removed, gone, used = self.apply(
            ("clone", "copy", {"source": "work"}), ("clone", "copy", {"source": "work"}),
            ("absent", "copy"), ("absent", "copy"), ("absent", "fedora-43-xfce"))
        self.expect(cloned, True, "/usr/bin/qvm-check copy ", {})
        self.expect(again, True, "[SKIP] A VM with the name 'copy' already exists.", {})
        self.expect(removed, True, changes={})
        self.expect(gone, True, "[SKIP] The VM with the name 'copy' is already missing.", {})
        self.expect(used, False)
        self.assertIn(" - template for work", used["comment"])


class Power(Case):
    def test_start_and_halted(self):
        names = [("start", "work"), ("start", "work"), ("halted", "work"),
                 ("running", "work"), ("shutdown", "work"), ("running", "work"),
                 ("halted", "work"), ("halted", "no"), ("start", "no"), ("kill", "work")]
        started, again, halted, running, stopped, not_running, *rest = self.apply(*names)
        self.expect(started, True, "qvm.state running\nRunning", {})
        self.expect(again, True, "qvm.state running\nRunning", {})
        self.expect(halted, True, "[SKIP] Running", {})
        self.expect(running, True, "qvm.state running\nRunning", {})
        self.expect(stopped, True, "qvm.state halted\nHalted", {})
        self.expect(not_running, False, "qvm.state running\nHalted", {})
        self.expect(rest[0], True, "[SKIP] Halted")
        self.expect(rest[1], True, "[SKIP] Virtual Machine does not exist!\n")
        self.expect(rest[2], False, "", {})
        self.assertEqual(rest[2]["stderr"], "Virtual Machine does not exist!\n")
        self.expect(rest[3], True, "[SKIP] Halted")

    def test_dry_run(self):
        start, up, stop, check, missing = self.apply(
            ("start", "work"), ("start", "sys-net"), ("shutdown", "work"),
            ("exists", "work"), ("exists", "no"), test=True)
        self.expect(start, None, "[TEST] /usr/bin/qvm-start --quiet work ", {})
        self.expect(up, None, "qvm.state running\nRunning", {})
        self.expect(stop, None, "VM is set for shutdown", {})
        self.expect(check, None, "/usr/bin/qvm-check work ", {})
        self.expect(missing, False, "====== stderr ======\n/usr/bin/qvm-check no \n"
                    "qvm-check: no: non-existent!", {})
        self.assertFalse(self.qube("work")["running"])

    def test_refusals(self):
        used, kind, not_template, unknown = self.apply(
            ("shutdown", "sys-net"), ("exists", "fedora-43-xfce", {"flags": ["template"]}),
            ("exists", "work", {"flags": ["template"]}), ("run", "work", {"cmd": "ls"}))
        self.expect(used, False)
        self.assertIn("There are other VMs connected to this VM: sys-firewall",
                      used["comment"])
        self.expect(kind, True)
        self.expect(not_template, False)
        self.raises(unknown, "the stand-in does not know qvm.run")


class Prefs(Case):
    def test_written_in_a_dry_run(self):
        result, = self.apply(("prefs", "work", {"memory": 600}), test=True)
        self.expect(result, None, "",
                    {"qvm.create": {"memory": {"old": "*default*", "new": 600}}})
        self.assertEqual(self.tool("qvm-prefs", "work", "memory"), "600\n")

    def test_quoted_values_change_each_time(self):
        quoted = ("prefs", "work", {"memory": "2000"}, {"autostart": "False"})
        plain = ("prefs", "work", {"memory": 2000}, {"autostart": False})
        _, second, third, fourth = self.apply(quoted, quoted, plain, plain)
        self.expect(second, True, changes={"qvm.create": {
            "memory": {"old": 2000, "new": "2000"},
            "autostart": {"old": False, "new": "False"}}})
        self.expect(third, True, changes={})
        self.expect(fourth, True, changes={})
        self.assertIs(self.qube("work")["prefs"]["autostart"], False)

    def test_netvm(self):
        none, same, empty, null, default, again, vault, no, loop, hyphen = self.apply(
            *(("prefs", "work", {"netvm": value}) for value in (
                "none", "none", "", None, "*default*", "*default*", "vault", "no")),
            ("prefs", "sys-net", {"netvm": "sys-firewall"}),
            ("prefs", "work", {"default-dispvm": "none"}))
        self.expect(none, True, changes={
            "qvm.create": {"netvm": {"old": "*default*", "new": None}}})
        for result in same, empty, null:
            self.expect(result, True, "[SKIP] netvm              : None", {})
        self.expect(default, True)
        self.expect(again, True, "[SKIP] netvm              : *default*", {})
        self.raises(vault, "The vault qube does not provide network")
        self.raises(no, "Can't set netvm to non-existing qube no")
        self.raises(loop, "Loops in network are unsupported")
        self.raises(hyphen, "VM name cannot be 'none' nor 'default'")

    def test_refusals(self):
        self.apply(("present", "s", *PRESENT))
        for result, text in zip(self.apply(*(("prefs", name, {key: value})
                                             for name, key, value in (
                ("s", "template", "debian-13-xfce"), ("work", "template", "vault"),
                ("work", "template", "no"), ("work", "ip", "fd00::1"),
                ("work", "memory", 0), ("work", "maxmem", "much"),
                ("work", "label", "pink"), ("work", "autostart", "maybe"),
                ("work", "updateable", True), ("work", "default_dispvm", "vault"),
                ("dom0", "memory", 1), ("sys-net", "provides_network", False)))), (
                "Invalid property 'template' of s", "is of type AppVM and not TemplateVM",
                "non-existing qube no", "Failed to parse property value as IPv4Address",
                "memory must be positive", "Failed to parse property value as int",
                "Label does not exist: pink", "Invalid literal for boolean property",
                "cannot be set", "template_for_dispvms set to False",
                "Invalid property 'memory' of dom0", "still used by other qubes")):
            self.raises(result, text)

    def test_unknown_keys_are_ignored(self):
        result, less = self.apply(
            ("prefs", "work", {"memory": 500}, {"shutdown_timeout": 5}, {"bootmode": "x"},
             {"ip6": "fd00::1"}, {"nonsense": 1}),
            ("prefs", "work", {"memory": 500}, {"maxmem": 100}))
        self.expect(result, True, "", {"qvm.create": {
            "memory": {"old": "*default*", "new": 500}}})
        self.expect(less, True)  # maxmem below memory is nobody's business
        self.assertEqual(self.qube("work")["prefs"], {"memory": 500, "maxmem": 100})


class Sets(Case):
    def features(self, *arguments):
        return ("features", "work", *arguments)

    def test_features(self):
        on, same, off, default, unset, string, number, again, flag = self.apply(*map(
            lambda pair: self.features(dict([pair])), (
                ("enable", ["f"]), ("enable", ["f"]), ("disable", ["f"]),
                ("default", ["f"]), ("default", ["f"]), ("set", [{"f": "1"}]),
                ("set", [{"f": 1}]), ("set", [{"f": 1}]), ("set", [{"f": True}]))))
        self.expect(on, True, "", {"qvm.features": {"f": {"old": None, "new": "1"}}})
        self.expect(same, True,
                    "[SKIP] Feature already in desired state: ENABLE 'f' = Enabled", {})
        self.expect(off, True, "", {"qvm.features": {"f": {"old": "1", "new": ""}}})
        self.expect(default, True, "", {"qvm.features": {"f": {"old": "", "new": None}}})
        self.expect(unset, True,
                    "[SKIP] Feature already in desired state: DEFAULT 'f' = Missing", {})
        self.expect(string, True)
        for result in number, again:
            self.expect(result, True, "", {"qvm.features": {"f": {"old": "1", "new": 1}}})
        self.expect(flag, True, "", {"qvm.features": {"f": {"old": "1", "new": True}}})

    def test_features_refused(self):
        two, mapping, text, number, name = self.apply(*map(self.features, (
            {"set": [{"a": "1", "b": "2"}]}, {"set": {"a": "1"}}, {"set": ["a=1"]},
            {"enable": [1]}, {"enable": ["a b"]})))
        for result in two, mapping, text, number:
            self.raises(result)
        self.raises(name, "feature name contains illegal characters")
        self.assertEqual(self.qube("work")["features"], {})

    def test_services(self):
        on, same, off = self.apply(*(("service", "work", {action: ["cups"]}) for action in (
            "enable", "enable", "disable")))
        self.expect(on, True, "", {"qvm.service": {
            "cups": {"old": "Missing", "new": "Enabled"}}})
        self.expect(same, True,
                    "[SKIP] Service already in desired state: ENABLE 'cups' = Enabled", {})
        self.expect(off, True)
        self.assertEqual(self.qube("work")["features"], {"service.cups": ""})

    def test_tags(self):
        add, same, delete, absent, bad, empty = self.apply(*(
            ("tags", "work", argument) for argument in (
                {"add": ["t"]}, {"present": ["t"]}, {"del": ["t"]}, {"del": ["t"]},
                {"add": ["a.b"]}, {"add": []})))
        self.expect(add, True, "", {"qvm.tags": {"old": TAGS, "new": TAGS + ["t"]}})
        self.expect(same, True, "[SKIP] All requested tags already set: "
                    + ",".join(TAGS + ["t"]), {})
        self.expect(delete, True, "", {"qvm.tags": {"old": TAGS + ["t"], "new": TAGS}})
        self.expect(absent, True, "[SKIP] All requested tags already set: "
                    + ",".join(TAGS), {})
        self.expect(bad, False, "disallowed characters", {})
        self.raises(empty)

    def test_firewall(self):
        states = [("firewall", "work", {"set": rules}) for rules in (
            RULES, RULES, ["action=accept dsthost=Api.com"], ["action=accept dstports=443"],
            [], ["proto=tcp"], [{"action": "drop"}])]
        put, same, case, ports, empty, action, mapping = self.apply(*states)
        stored = "\n".join(RULES).replace("443", "443-443")
        self.expect(put, True, "",
                    {"qvm.firewall": {"old": "action=accept", "new": stored}})
        self.expect(same, True,
                    "[SKIP] All requested rules already set:\n" + stored, {})
        self.expect(case, False, "Invalid hostname", {})
        self.expect(ports, False, "dstports valid only for 'tcp' and 'udp' protocols", {})
        self.expect(empty, False, "missing action=", {})
        self.expect(action, False, "missing action=", {})
        self.raises(mapping)

    def test_dry_run_writes_nothing(self):
        before = self.qube("work")
        for result in self.apply(
                ("features", "work", {"enable": ["f"]}), ("tags", "work", {"add": ["t"]}),
                ("service", "work", {"enable": ["s"]}),
                ("firewall", "work", {"set": RULES}), test=True):
            self.expect(result, None, "")
            self.assertTrue(result["changes"])
        self.assertEqual(self.qube("work"), before)


class Tools(Case):
    def test_calls(self):
        self.assertEqual(self.salt("qvm.check", "work")["retcode"], 0)
        self.assertEqual(self.salt("qvm.state", "work")["stdout"], "Halted")

    def test_tools(self):
        self.assertEqual(self.tool("qvm-prefs", "work", "klass"), "AppVM\n")
        self.assertEqual(self.tool("qvm-prefs", "--get", "work", "netvm"), "sys-firewall\n")
        self.tool("qvm-prefs", "work", "netvm", "none")
        self.assertEqual(self.tool("qvm-prefs", "work", "netvm"), "")
        self.tool("qvm-prefs", "work", "netvm", "vault", code=1)
        self.assertEqual(self.stderr,
                         "qvm-prefs: error: The vault qube does not provide network\n")
        self.tool("qvm-prefs", "work", "nonsense", code=2)
        self.tool("qvm-prefs", "no", "netvm", code=2)
        self.assertIn("qvm-prefs: error: no such domain: 'no'\n", self.stderr)
        self.tool("qvm-check", "-q", "work")
        self.assertEqual(self.stderr, "")
        self.tool("qvm-check", "no", code=1)
        self.assertEqual(self.stderr, "qvm-check: no: non-existent!\n")
        self.tool("qvm-check", "--running", "work", "sys-net", code=3)
        self.tool("qvm-check", "--template", "work", code=1)
        self.tool("qvm-check", code=2)
        self.assertEqual(self.tool("qvm-ls", "--raw-data", "--fields=name,state,class,netvm",
                                   "vault", "sys-firewall"),
                         "sys-firewall|Running|AppVM|sys-net\nvault|Halted|AppVM|-\n")
        self.assertIn("\ndom0\n", self.tool("qvm-ls", "--raw-list"))
        self.tool("qvm-ls", "--bogus", code=2)
        self.tool("qvm-features", "work", "f", code=1)
        self.tool("qvm-features", "work", "f", "")
        self.assertEqual(self.tool("qvm-features", "work", "f"), "\n")
        self.tool("qvm-features", "--unset", "work", "f")
        self.tool("qvm-features", "--unset", "work", "f", "1", code=2)
        self.tool("qvm-tags", "work", "add", "a", "b")
        self.tool("qvm-tags", "work", "del", "a", "b", code=2)
        self.tool("qvm-tags", "work", "del", "none")
        self.assertIn("\na\n", "\n" + self.tool("qvm-tags", "work", "list"))
        self.tool("qvm-tags", "work", "add", "a.b", code=1)
        self.assertEqual(self.stderr, "qvm-tags: error: disallowed characters\n")

    def test_writers_wait_for_each_other(self):
        running = [subprocess.Popen([os.path.join(HERE, "bin", "qvm-tags"), "work", "add",
                                     "t%d" % number], env=self.env) for number in range(8)]
        self.assertEqual([process.wait() for process in running], [0] * 8)
        self.assertEqual(len(self.qube("work")["tags"]), len(TAGS) + 8)


if __name__ == "__main__":
    if len(sys.argv) > 1 and os.path.sep in sys.argv[1]:
        SALT_CALL = sys.argv.pop(1)
    unittest.main()
