#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a caller can do with a service's argument, and how many calls there can be, asked of the
stand-in for qrexec: its daemons, an agent and clients, as root, in a folder instead of a machine."""
import contextlib
import io
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest
import warnings

import standin_policy
import standin_qrexec

HANDLER = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "../../../templates/qube/etc/qubes-rpc/qubes.ConnectTCP")
QUBE = {"class": "AppVM", "tags": [], "prefs": {}, "features": {}, "running": True}
MACHINE = {"qubes": {"dom0": {**QUBE, "class": "AdminVM"}, "claw": QUBE, "work": QUBE}}
REFUSED, UNREACHABLE = standin_qrexec.REFUSED, standin_qrexec.UNREACHABLE


class Group:
    gr_gid = 0


def listen():
    """A server on a port that is left over of a number of five digits, by 16 bits."""
    for port in range(21000, 34000):
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", port)), port
    raise OSError("every port is taken")


class Hostile(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = lambda name: os.path.join(folder, name)
        for name in ("claw", "work", "policy", "rpc", "config", "ran"):
            os.mkdir(self.folder(name))
        with open(self.folder("model.json"), "w", encoding="ascii") as file:
            json.dump(MACHINE, file)
        self.children = []
        # What answers on loopback, and how often it was called.
        self.server, self.port = listen()
        self.addCleanup(self.server.close)
        self.served = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def enterContext(self, context):
        """As unittest's own, which Python has since 3.11."""
        self.addCleanup(context.__exit__, None, None, None)
        return context.__enter__()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self.server.accept()
                self.served += 1
                with wire:
                    wire.sendall(b"served\n")

    def write(self, name, text):
        with open(self.folder(name), "w", encoding="ascii") as file:
            file.write(text)

    def start(self, policy):
        self.write("policy/50-a.policy", policy)
        for run in (lambda: self.agent("claw"), lambda: self.agent("work"),
                    lambda: self.daemon("claw"), lambda: self.daemon("work")):
            self.fork(run)
        for name in ("claw", "work"):
            self.wait_for(name + "/daemon.sock")

    def fork(self, run):
        pid = os.fork()
        if pid == 0:
            try:
                with open(self.folder("log"), "a", encoding="ascii") as log:
                    os.dup2(log.fileno(), 2)
                # Nothing that is called by a hostile name is written anywhere else.
                os.chdir(self.folder("ran"))
                run()
            finally:
                os._exit(1)
        self.children.append(pid)
        self.addCleanup(os.waitpid, pid, 0)
        self.addCleanup(os.kill, pid, signal.SIGKILL)

    def wait_for(self, name):
        deadline = time.monotonic() + 30
        while not os.path.exists(self.folder(name)):
            self.assertLess(time.monotonic(), deadline, name)
            time.sleep(0.02)

    def agent(self, name):
        standin_qrexec.VCHAN = self.folder(name)
        standin_qrexec.DIRECTORIES = (self.folder("rpc"),)
        standin_qrexec.CONFIGURATION = self.folder("config")
        standin_qrexec.agent([])

    def daemon(self, name):
        standin_qrexec.VCHAN = self.folder("")
        standin_qrexec.DOM0_SOCKET = self.folder("dom0.{}")
        standin_qrexec.PEAK = self.folder("peak.")
        standin_qrexec.grp.getgrnam = lambda _: Group
        # The target runs.
        standin_qrexec.subprocess.run = lambda *_, **__: None
        standin_policy.FOLDERS = (self.folder("policy"),)
        os.environ["OPENCLAW_STANDIN_MODEL"] = self.folder("model.json")
        standin_qrexec.daemon([name])

    def call(self, service):
        """The exit code of a call from work, and what came back."""
        return self.client(lambda: self.from_work(service))

    def from_work(self, service):
        standin_qrexec.VCHAN = self.folder("work")
        return standin_qrexec.client_vm(["claw", service])

    def from_dom0(self, *argv):
        standin_qrexec.VCHAN = self.folder("")
        standin_qrexec.DOM0_SOCKET = self.folder("dom0.{}")
        return standin_qrexec.client(list(argv))

    def client(self, run):
        """The exit code of a client, and what came back."""
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 255
            try:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(write, 1)
                os.dup2(write, 2)
                warnings.simplefilter("ignore")
                sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), write_through=True)
                code = run()
            finally:
                os._exit(code)
        os.close(write)
        with os.fdopen(read, encoding="utf-8") as pipe:
            said = pipe.read()
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said

    def hostile(self):
        """Arguments, of which none is the port."""
        ran = self.folder("ran/it")
        return ["+{}{}".format(self.port, more) for more in (
            ";id", "; touch " + ran, "`touch {}`".format(ran), "$(touch {})".format(ran),
            "|touch " + ran, "\ntouch " + ran, " " + str(self.port), "+" + str(self.port),
            ",fork", ",EXEC:id", "/../..", "\u0000x", "\u00b2")] + [
            "", "+", "+ ", "+0", "+-1", "+*", "+../x", "+../../bin/sh", "+/bin/sh", "+-h", "+;id",
            "+0" + str(self.port), "+" + str(self.port + 65536), "+" + hex(self.port), "+99999",
            "+" + "9" * 300, "+" + "9" * 100000, "+\u0661\u0668", "+$PORT", "+localhost"]

    def refuse(self, *codes):
        for argument in self.hostile():
            with self.subTest(argument=argument[:40]):
                code, said = self.call("qubes.ConnectTCP" + argument)
                self.assertIn(code, codes, (len(argument), said))
                self.assertNotIn("served", said)
        self.assertEqual(self.served, 0)
        self.assertEqual(os.listdir(self.folder("ran")), [])
        # Of all that, nothing is broken.
        code, said = self.call("qubes.ConnectTCP+{}".format(self.port))
        self.assertEqual((code, said), (0, "served\n"))
        self.assertEqual(self.served, 1)

    def hold(self, run):
        """A call that lasts until its input ends; that input."""
        read, write = os.pipe()
        self.addCleanup(os.close, write)

        def with_input():
            os.dup2(read, 0)
            run()
        self.fork(with_input)
        os.close(read)

    def test_the_grant_pages_of_the_caller_limit_its_calls(self):
        self.write("rpc/test.Hold", "#!/bin/sh\necho >> {}\nexec cat\n".format(
            self.folder("ran/held")))
        os.chmod(self.folder("rpc/test.Hold"), 0o755)
        os.chmod(self.folder("ran"), 0o777)
        self.socket_service()
        self.start("* * work claw allow user=root\n")
        call = "root:QUBESRPC test.Hold dom0"
        for held in range(1, 32):
            self.hold(lambda: self.from_dom0("-d", "claw", call))
            self.wait_for_lines("ran/held", held)
        # To another qube, too; but not from another one.
        for name in "claw", "work":
            code, said = self.client(lambda: self.from_dom0("-d", name, call))
            self.assertEqual(code, UNREACHABLE)
            self.assertIn("No space left on device", said)
        self.assertEqual(self.call("qubes.ConnectTCP+{}".format(self.port)), (0, "served\n"))
        for held in range(32, 63):
            self.hold(lambda: self.from_work("test.Hold"))
            self.wait_for_lines("ran/held", held)
        code, said = self.call("qubes.ConnectTCP+{}".format(self.port))
        self.assertEqual(code, 1)
        self.assertIn("No space left on device", said)

    def wait_for_lines(self, name, count):
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(FileNotFoundError):
                with open(self.folder(name), encoding="ascii") as file:
                    if len(file.readlines()) >= count:
                        return
            self.assertLess(time.monotonic(), deadline, (name, count))
            time.sleep(0.01)

    def test_a_qube_that_takes_nothing_up(self):
        self.start("")
        self.assertEqual(self.client(
            lambda: self.from_dom0("-d", "claw", "root:echo served")), (0, "served\n"))
        os.kill(self.children[0], signal.SIGSTOP)
        standin_qrexec.CONNECT_TIMEOUT, usual = 0.3, standin_qrexec.CONNECT_TIMEOUT
        self.addCleanup(setattr, standin_qrexec, "CONNECT_TIMEOUT", usual)
        self.assertEqual(usual, 5)
        for options, seconds in ((), 0.3), (("-w", "1"), 1):
            begun = time.monotonic()
            code, said = self.client(
                lambda: self.from_dom0(*options, "-d", "claw", "root:echo served"))
            self.assertEqual((code, said), (UNREACHABLE, "qrexec connection timeout\n"))
            self.assertGreaterEqual(time.monotonic() - begun, seconds)
        # In time.
        timer = threading.Timer(0.5, os.kill, (self.children[0], signal.SIGCONT))
        timer.start()
        self.addCleanup(timer.join)
        self.assertEqual(self.client(
            lambda: self.from_dom0("-w", "60", "-d", "claw", "root:echo served")), (0, "served\n"))

    def test_where_a_daemon_listens(self):
        self.start("")
        link = os.readlink(self.folder("dom0.claw"))
        self.assertRegex(link, "^dom0[.][0-9]+$")
        self.assertTrue(any(name.startswith("dom0.uuid:")
                            for name in os.listdir(self.folder(""))))

    def log(self):
        with open(self.folder("log"), encoding="utf-8") as file:
            return file.read()

    def handler(self):
        shutil.copyfile(HANDLER, self.folder("rpc/qubes.ConnectTCP"))
        os.chmod(self.folder("rpc/qubes.ConnectTCP"), 0o755)

    def socket_service(self):
        os.symlink("/dev/tcp/127.0.0.1", self.folder("rpc/qubes.ConnectTCP"))
        self.write("config/qubes.ConnectTCP",
                   "skip-service-descriptor=true\nexit-on-service-eof=true\n")

    def test_policy_lets_nothing_but_the_port_through(self):
        # Whatever gets here is seen.
        self.write("rpc/qubes.ConnectTCP", "#!/bin/sh\n[ \"$1\" = {} ] || touch {}\n"
                   "echo served\nsocat - TCP:127.0.0.1:{} >/dev/null\n".format(
                       self.port, self.folder("ran/it"), self.port))
        os.chmod(self.folder("rpc/qubes.ConnectTCP"), 0o755)
        self.start("qubes.ConnectTCP +{} work claw allow user=root\n"
                   "qubes.ConnectTCP * * claw deny\n".format(self.port))
        self.refuse(REFUSED, UNREACHABLE)
        self.assertIn("denied ({}:2)".format(self.folder("policy/50-a.policy")), self.log())

    def test_our_handler_takes_nothing_but_a_port(self):
        self.handler()
        self.start("qubes.ConnectTCP * work claw allow user=root\n")
        # What is too long does not even get to the agent.
        self.refuse(64, UNREACHABLE)

    def test_the_socket_service_takes_nothing_but_a_port(self):
        self.socket_service()
        self.start("qubes.ConnectTCP * work claw allow\n")
        self.refuse(UNREACHABLE)

    def test_a_service_without_a_name(self):
        self.handler()
        self.start("* * work claw allow user=root\n")
        for service in "", "+", "+18789", "+;id":
            with self.subTest(service=service):
                self.assertEqual(self.call(service)[0], REFUSED)
        # What is not allowed in a name does not lead to another one.
        for service in "../qubes.ConnectTCP", "qubes.ConnectTCP;", "/bin/sh", "..":
            with self.subTest(service=service):
                code, _ = self.call("{}+{}".format(service, self.port))
                self.assertIn(code, (standin_qrexec.NO_HANDLER, UNREACHABLE))
        self.assertEqual(self.served, 0)


if __name__ == "__main__":
    unittest.main()
