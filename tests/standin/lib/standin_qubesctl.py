# SPDX-License-Identifier: MIT OR Apache-2.0
"""Stand-in for qubesctl: the same command in dom0, and then in each target through
a management qube, which gets all of /srv and runs the real salt-ssh.

Kept on purpose: options come before the command; targets are resolved after dom0's
run, and unknown ones are passed over; a failure in dom0 ends everything; templates
come first; a qube that did not run is shut down afterwards; a dangling link among
the enabled tops breaks the management of every qube.
"""
import argparse
import io
import json
import multiprocessing.pool
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading

import yaml

from standin_model import Model, QubesError

SALT_CALL = "/usr/bin/salt-call"
POLICY = "/etc/qubes/policy.d/30-qubesctl-salt.policy"
LOG = "/var/log/qubes/mgmt-{}.log"
_policy_lock = threading.Lock()


def _salt(*argv):
    """What salt-call says, as JSON."""
    done = subprocess.run([SALT_CALL, "--local", "--log-level=quiet", "--out=json", *argv],
                          stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout)["local"]


def _policy(source, target, allow):
    """Qubes writes this file, too, whole and by renaming."""
    lines = ["{} * {} {} allow user=root\n".format(service, source, target)
             for service in ("qubes.Filecopy", "qubes.VMShell", "qubes.VMRootShell")]
    with _policy_lock:
        rules = []
        if os.path.exists(POLICY):
            with open(POLICY, encoding="ascii") as file:
                rules = [line for line in file if not line.startswith("#")]
        rules = [line for line in rules if line not in lines] + (lines if allow else [])
        if rules:
            with open(POLICY + "new", "w", encoding="ascii") as file:
                file.write("# This file is managed by qubesctl\n" + "".join(rules))
            os.rename(POLICY + "new", POLICY)
        elif os.path.exists(POLICY):
            os.unlink(POLICY)


def _configuration(name):
    """A tar of what the management qube gets: /srv, without the sources of pillars."""
    with tempfile.TemporaryDirectory() as folder:
        srv = os.path.join(folder, "srv")
        shutil.copytree("/srv", srv)
        pillar = _salt("--id=" + name, "pillar.items")
        master = pillar.pop("master")
        for roots in master["pillar_roots"].values():
            for root in roots:
                shutil.rmtree(folder + root, ignore_errors=True)
        with open(os.path.join(srv, "master"), "w", encoding="utf-8") as file:
            yaml.safe_dump({"file_roots": master["file_roots"]}, file)
        os.makedirs(os.path.join(srv, "pillar"))
        for path, content in (("combined.sls", pillar),
                              ("top.sls", {"base": {name: ["combined"]}})):
            with open(os.path.join(srv, "pillar", path), "w", encoding="utf-8") as file:
                yaml.safe_dump(content, file)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(srv, arcname="srv")
        return archive.getvalue()


def _run(domain, command, data):
    return subprocess.run(["/usr/bin/qrexec-client", "-d", domain, command], input=data,
                          capture_output=True, check=False)


def _tool(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise QubesError(done.stderr.strip())


def _manage(name, command):
    """(exit code, lines of output) of a command in one qube."""
    management = Model().data["management_dispvm"]
    disposable = "disp-mgmt-" + name
    disposable = disposable[:31]
    was_running = Model().qube(name)["running"]
    with Model.change() as model:
        if disposable not in model:
            model.create("DispVM", disposable, "black", management)
            model.set(disposable, "netvm", "")
    _policy(disposable, name, True)
    try:
        _tool("/usr/bin/qvm-start", "--skip-if-running", disposable)
        copied = _run(disposable, "user:mkdir -p QubesIncoming/dom0 && "
                      "tar -C QubesIncoming/dom0 -x", _configuration(name))
        if copied.returncode:
            raise QubesError("Failed to copy Salt configuration to " + disposable)
        words = " ".join(shlex.quote(word) for word in command)
        done = _run(disposable, "DEFAULT:QUBESRPC qubes.SaltLinuxVM dom0",
                    "{}\n{}\n".format(name, words).encode())
        text = (done.stdout + done.stderr).decode("ascii", errors="ignore")
        lines = ["".join(c for c in line if " " <= c <= "~") for line in text.splitlines()]
        with open(LOG.format(name), "a", encoding="ascii") as log:
            log.write("calling '{}'...\n".format(words))
            log.writelines("output: {}\n".format(line) for line in lines)
            log.write("exit code: {}\n".format(done.returncode))
        if lines and lines[0].count(name + ":") == 1:
            lines = lines[1:]
        if not was_running and Model().qube(name)["running"]:
            _tool("/usr/bin/qvm-shutdown", "--wait", name)
        if done.returncode == 0 and command[0].startswith("state.") and not lines:
            return 1, "ERROR (exit code 0, but no changes summary)"
        return done.returncode, lines
    finally:
        _policy(disposable, name, False)
        subprocess.run(["/usr/bin/qvm-kill", disposable], capture_output=True, check=False)
        _tool("/usr/bin/qvm-remove", "--force", disposable)


def _one(name, command, arguments):
    if not arguments.skip_top_check and ("state.highstate" in command
                                         or command[-1] == "state.apply"):
        try:
            if not _salt("--id=" + name, "state.show_top", "concurrent=True"):
                return name, 0, "SKIP (nothing to do)"
        except (ValueError, KeyError) as error:
            return name, 1, "ERROR (exception {})".format(error)
    try:
        code, lines = _manage(name, command)
    except (QubesError, OSError, shutil.Error, ValueError, KeyError) as error:
        return name, 1, "ERROR (exception {})".format(error)
    if isinstance(lines, str) or (arguments.show_output and lines):
        return name, code, lines
    return name, code, "OK" if code == 0 else "ERROR (exit code {}, details in {})".format(
        code, LOG.format(name))


def main(argv):
    if argv[:1] == ["--dom0-only"]:
        os.execv(SALT_CALL, [SALT_CALL, "--local", *argv[1:]])
    parser = argparse.ArgumentParser(prog="qubesctl")
    for option in ("--show-output", "--skip-dom0", "--skip-top-check", "--templates",
                   "--standalones", "--app"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("--max-concurrency", type=int, default=4)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--targets")
    group.add_argument("--all", action="store_true")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args(argv)
    command = arguments.command

    if not arguments.skip_dom0:
        if subprocess.run([SALT_CALL, "--local", *command], check=False).returncode:
            print("DOM0 configuration failed, not continuing", file=sys.stderr)
            return 1
    model = Model()
    classes = [klass for klass, wanted in (
        ("TemplateVM", arguments.templates), ("StandaloneVM", arguments.standalones),
        ("AppVM", arguments.app)) if wanted]
    names = [name for name in model.names() if model.qube(name)["class"] in classes]
    if arguments.all:
        names = [name for name in model.names() if model.qube(name)["class"] != "DispVM"]
    elif arguments.targets:
        names = [name for name in model.names() if name in arguments.targets.split(",")]
    names = [name for name in names if name != "dom0"]
    worst = 0
    for templates in (True, False):
        batch = [name for name in names
                 if (model.qube(name)["class"] == "TemplateVM") == templates]
        with multiprocessing.pool.ThreadPool(arguments.max_concurrency) as pool:
            for name, code, said in pool.imap_unordered(
                    lambda name: _one(name, command, arguments), batch):
                worst = max(worst, code)
                if isinstance(said, list):
                    print(name + ":\n" + "\n".join("  " + line for line in said), flush=True)
                else:
                    print(name + ": " + said, flush=True)
    return worst
