#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What Qubes documents of its policy, asked of the stand-in that evaluates it in the tests."""
import contextlib
import io
import os
import tempfile
import unittest

import standin_policy


def qube(klass="AppVM", tags=(), **more):
    return {"class": klass, "tags": list(tags), "prefs": {}, "features": {}, "running": True,
            **more}


MACHINE = {
    "default_dispvm": "dvm",
    "qubes": {
        "dom0": qube("AdminVM"),
        "claw": qube("StandaloneVM", ["openclaw-server"]),
        "work": qube(tags=["openclaw-client"]),
        "vault": qube(running=False),
        "dvm": qube(prefs={"template_for_dispvms": True}),
        "inner": qube(features={"internal": "1"}),
    },
}


class Policy(unittest.TestCase):
    def decide(self, files, source="work", target="claw", service="qubes.ConnectTCP",
               argument="+18789"):
        if isinstance(files, str):
            files = {"50-a.policy": files}
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            return standin_policy.decide([folder], MACHINE, source, target, service, argument)

    def check(self, expected, *args, **kwargs):
        decision = self.decide(*args, **kwargs)
        self.assertEqual(decision.action, expected, decision)
        return decision

    def test_nothing_said_is_denied(self):
        self.assertEqual(self.check("deny", "").error, "no matching rule found")
        self.check("deny", "# qubes.ConnectTCP * @anyvm @anyvm allow\n")

    def test_the_first_match_decides_in_the_order_of_names(self):
        allow, deny = "* * work claw allow\n", "* * work claw deny\n"
        self.check("allow", allow + deny)
        self.check("deny", deny + allow)
        self.check("allow", {"30-x.policy": allow, "50-a.policy": deny})
        self.check("deny", {"30-x.policy": allow, "20-a.policy": deny})
        # A number of one digit more is a later name.
        self.check("allow", {"30-x.policy": allow, "5-a.policy": deny})

    def test_other_files_are_not_read(self):
        self.check("deny", {"30-x.policy.rpmsave": "* * * * allow\n",
                            ".30-x.policy": "* * * * allow\n", "README": "no policy"})

    def test_service_and_argument(self):
        self.check("allow", "qubes.ConnectTCP +18789 work claw allow")
        self.check("deny", "qubes.ConnectTCP +18789 work claw allow", argument="+18790")
        self.check("deny", "qubes.ConnectTCP +18789 work claw allow", argument="+")
        self.check("deny", "qubes.ConnectTCP + work claw allow")
        self.check("allow", "qubes.ConnectTCP + work claw allow", argument="+")
        self.check("allow", "qubes.ConnectTCP * work claw allow", argument="+")
        self.check("deny", "qubes.ConnectTCP * work claw allow", service="qubes.ConnectTCPs")

    def test_sources_and_targets(self):
        for token, matching in (
                ("@tag:openclaw-client", {"work"}), ("@type:StandaloneVM", {"claw"}),
                ("@anyvm", {"work", "claw", "vault"}), ("@adminvm", {"dom0"}), ("dom0", {"dom0"}),
                ("*", {"work", "claw", "vault", "dom0"}), ("work", {"work"})):
            for name in ("work", "claw", "vault", "dom0"):
                with self.subTest(token=token, name=name):
                    expected = "allow" if name in matching else "deny"
                    self.check(expected, "* * {} dvm allow".format(token), name, "dvm")
                    self.check(expected, "* * dvm {} allow".format(token), "dvm", name)

    def test_a_disposable(self):
        self.assertEqual(self.check("allow", "* * work @dispvm allow", target="@dispvm").target,
                         "@dispvm:dvm")
        self.check("allow", "* * work @dispvm:dvm allow", target="@dispvm")
        # Any qube, but not any disposable to come: that is @dispvm's.
        self.check("deny", "* * work @dispvm allow", target="@dispvm:dvm")
        self.check("allow", "* * work @anyvm allow", target="@dispvm")
        self.check("deny", "* * work @anyvm allow", target="@dispvm:vault")

    def test_no_target_and_a_target_that_is_not_there(self):
        self.check("deny", "* * work @anyvm deny\n", target="")
        decision = self.check("allow", "* * work @default allow target=claw", target="nobody")
        self.assertEqual(decision.target, "claw")
        self.check("allow", "* * work @default allow target=claw", target="@default")

    def test_options(self):
        decision = self.check(
            "allow", "* * work claw allow target=vault user=root autostart=yes notify=yes")
        self.assertEqual((decision.target, decision.user, decision.notify), ("vault", "root", True))
        self.check("deny", "* * work vault allow autostart=no", target="vault")
        self.check("allow", "* * work claw allow autostart=no")

    def test_ask(self):
        decision = self.check("ask", "* * work claw ask default_target=claw")
        self.assertEqual((decision.targets, decision.default_target), (["claw"], "claw"))
        decision = self.check("ask", "* * work vault deny\n* * work @anyvm ask")
        self.assertNotIn("vault", decision.targets)
        self.assertNotIn("inner", decision.targets)
        self.assertNotIn("work", decision.targets)

    def test_a_qube_does_not_call_itself(self):
        self.check("deny", "* * * * allow", "work", "work")

    def test_a_malformed_line_anywhere_denies_everything(self):
        good = "* * work claw allow\n"
        for line in ("* * work claw", "* * work claw permit", "* +1 work claw allow",
                     "qubes.A 1 work claw allow", "a/b * work claw allow",
                     "* * @default claw allow", "* * @tag: claw allow", "* * @any claw allow",
                     "* * work claw allow user", "* * work claw allow why=so",
                     "* * work claw allow notify=1", "* * work claw deny user=root",
                     "* * work claw allow default_target=claw", "* * work @default allow",
                     "* * work claw allow user=a user=b", "* * work claw allow target=@tag:x",
                     "!include other"):
            with self.subTest(line=line):
                self.check("deny", {"30-x.policy": good, "90-z.policy": line + "\n"})
        self.check("deny", {"30-x.policy": good, "90 Z.policy": ""})

    def test_lint(self):
        def lint(*paths):
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                return standin_policy.lint(paths), said.getvalue()

        with tempfile.TemporaryDirectory() as folder:
            good, bad = (os.path.join(folder, name) for name in ("a temporary name", "50-b.policy"))
            for path, text in ((good, "# of nobody\n\n* * work claw allow\n"),
                               (bad, "* * work claw allow\n* * work claw deny # no\n")):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            # The name is no matter: a file is looked at before it has its own.
            self.assertEqual(lint(good), (0, ""))
            self.assertEqual(lint(good, bad), (1, bad + ":2: invalid parameter: '#'\n"))
            with open(bad, "wb") as file:
                file.write(b"\xff\n")
            self.assertEqual(lint(bad)[0], 1)
            self.assertEqual(lint(os.path.join(folder, "missing"))[0], 1)
        self.assertEqual(lint()[0], 2)

    def test_what_the_daemon_passes_on(self):
        self.assertEqual(standin_policy.check_call("qubes.ConnectTCP+18789;id", "cl aw"),
                         ("qubes.ConnectTCP+18789_id", "cl_aw"))
        self.assertEqual(standin_policy.check_call("a", ""), ("a", "@default"))
        # Byte by byte.
        self.assertEqual(standin_policy.check_call("a+\u0661", "claw"), ("a+__", "claw"))
        with self.assertRaises(ValueError):
            standin_policy.check_call("+18789", "claw")


if __name__ == "__main__":
    unittest.main()
