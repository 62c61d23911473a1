# SPDX-License-Identifier: MIT OR Apache-2.0
"""Stand-in for Qubes OS' `qvm` states (release 4.3); ../_modules/qvm.py says how
to set it up.

Faults kept on purpose: `halted` is true of a running and of a missing qube;
`running` only looks; an existing qube is skipped whatever its class, template and
label are; `present`, `clone`, `start`, `shutdown`, `kill` and `absent` never have
changes; an error of the arguments leaves the comment empty (it is in `stderr`).
"""
from collections.abc import Mapping

from salt.exceptions import CommandExecutionError, SaltInvocationError

__virtualname__ = "qvm"

ACTIONS = ("exists", "running", "missing", "halted", "absent", "present", "clone",
           "prefs", "devices", "service", "features", "firewall", "tags", "unpause",
           "pause", "shutdown", "kill", "start", "run")


def __virtual__():
    if "qvm.prefs" in __salt__:
        return __virtualname__
    return False, "the qvm execution module is not loaded"


def _call(function, *varargs, **kwargs):
    try:
        status = vars(__salt__["qvm." + function](*varargs, **kwargs))
    except (SaltInvocationError, CommandExecutionError) as error:
        return {"name": "", "result": False, "retcode": 1, "changes": {}, "comment": "",
                "stdout": "", "stderr": error.message + "\n"}
    return dict(status)


def _passed(status):
    return not status["retcode"] if status["result"] is None else status["result"]


def _skip(message):
    return {"name": "", "result": None if __opts__["test"] else True, "retcode": 0,
            "changes": {}, "comment": "[SKIP] " + message, "stdout": "", "stderr": ""}


def exists(name, *varargs, **kwargs):
    return _call("check", name, *varargs, "exists", **kwargs)


def missing(name, *varargs, **kwargs):
    return _call("check", name, *varargs, "missing", **kwargs)


def running(name, *varargs, **kwargs):
    return _call("state", name, *varargs, "running", **kwargs)


def halted(name, *varargs, **kwargs):
    status = _call("state", name, *varargs, "halted", **kwargs)
    # The status' stderr holds the power state, so this is nearly always true.
    if _passed(status) or status["stderr"]:
        return _skip(status["stderr"] or "'{}' is already halted.".format(name))
    return status


def start(name, *varargs, **kwargs):
    kwargs.setdefault("flags", [])
    kwargs["flags"].append("quiet")
    return _call("start", name, *varargs, **kwargs)


def shutdown(name, *varargs, **kwargs):
    kwargs.setdefault("flags", [])
    kwargs["flags"].append("wait")
    return _call("shutdown", name, *varargs, **kwargs)


def kill(name, *varargs, **kwargs):
    status = _call("state", name, "halted")
    if _passed(status):
        return _skip(status["stderr"] or "'{}' is already halted.".format(name))
    return _call("kill", name, *varargs, **kwargs)


def present(name, *varargs, **kwargs):
    if _passed(_call("check", name, "exists")):
        return _skip("A VM with the name '{}' already exists.".format(name))
    return _call("create", name, *varargs, **kwargs)


def absent(name, *varargs, **kwargs):
    if _passed(_call("check", name, "missing")):
        return _skip("The VM with the name '{}' is already missing.".format(name))
    return _call("remove", name, *varargs, **kwargs)


def clone(name, source, *varargs, **kwargs):
    if _passed(_call("check", name, "exists")):
        return _skip("A VM with the name '{}' already exists.".format(name))
    return _call("clone", source, name, *varargs, **kwargs)


def prefs(name, *varargs, **kwargs):
    return _call("prefs", name, *varargs, **kwargs)


def features(name, *varargs, **kwargs):
    return _call("features", name, *varargs, **kwargs)


def service(name, *varargs, **kwargs):
    return _call("service", name, *varargs, **kwargs)


def tags(name, *varargs, **kwargs):
    return _call("tags", name, *varargs, **kwargs)


def firewall(name, *varargs, **kwargs):
    return _call("firewall", name, *varargs, **kwargs)


def _unknown(action):
    def function(name, *varargs, **kwargs):
        raise CommandExecutionError("the stand-in does not know qvm." + action)
    function.__name__ = action
    return function


devices = _unknown("devices")
run = _unknown("run")
pause = _unknown("pause")
unpause = _unknown("unpause")
template_installed = _unknown("template_installed")


def vm(name, *varargs, **kwargs):
    """Several of the above in one state, in the order of ACTIONS or `actions`."""
    order = []
    for action in kwargs.pop("actions", ACTIONS):
        on_failure = "fail"
        if isinstance(action, Mapping):
            action, on_failure = next(iter(action.items()))
        order.append((action, on_failure))
    ret = {"name": name, "changes": {}, "comment": "",
           "result": None if __opts__["test"] else True}
    for action in kwargs:
        if action not in dict(order):
            ret.update(result=False, comment="Unknown action keyword: " + action)
            return ret
    comments = []
    for action, on_failure in order:
        if action not in kwargs:
            continue
        header = "====== ['{}'] ======\n".format(action)
        positional, keywords = [], {}
        for option in kwargs[action]:
            if isinstance(option, Mapping):
                keywords.update(option)
            else:
                positional.append(option)
        if not (ret["result"] or __opts__["test"]):
            comments.append(header + "[SKIP] Skipping due to previous failure!")
            continue
        status = globals()[action](name, *positional, **keywords)
        if not status["result"] and "pass" not in on_failure.lower():
            ret["result"] = status["result"]
        if status["changes"]:
            ret["changes"]["qvm." + action] = status["changes"]
        if status["comment"].strip():
            comments.append(header + status["comment"])
        else:
            comments.append(header + (status["stdout"].strip() or status["stderr"].strip()))
    ret["comment"] = "\n\n".join(comments)
    return ret
