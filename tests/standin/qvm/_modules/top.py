# SPDX-License-Identifier: MIT OR Apache-2.0
"""Stand-in for Qubes' `top` module: which tops are enabled. A top is enabled by a
link to it, and one whose file is gone cannot be disabled (a known fault)."""
import os

from salt.exceptions import CommandExecutionError

TOPS = "/srv/salt/_tops/base"


def _file(name):
    for root in __opts__["file_roots"]["base"]:
        for path in (name.replace(".", "/") + "/init.top", name.replace(".", "/") + ".top"):
            found = os.path.join(root, path)
            if os.path.isfile(found):
                return found
    raise CommandExecutionError("no such top: " + name)


def _link(name):
    return os.path.join(TOPS, name + ".top")


def enable(*names):
    """qubesctl top.enable NAME..."""
    os.makedirs(TOPS, exist_ok=True)
    for name in names:
        path = _file(name)
        if not os.path.lexists(_link(name)):
            os.symlink(path, _link(name))
    return list(names)


def disable(*names):
    """qubesctl top.disable NAME..."""
    for name in names:
        _file(name)
        if os.path.lexists(_link(name)):
            os.unlink(_link(name))
    return list(names)


def enabled():
    """The names of the enabled tops."""
    return sorted(name[:-len(".top")] for name in os.listdir(TOPS)) if os.path.isdir(
        TOPS) else []
