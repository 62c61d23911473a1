#!py
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The enabled tops, merged. Where Salt runs for a qube, `tops.yaml` lists them."""
import os

import yaml


def run():
    folder = "/srv/salt/_tops/base"
    merged = {}
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        # A dangling link is an error here, as it is in Qubes.
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            top = yaml.safe_load(file) or {}
        for environment, targets in top.items():
            for target, states in targets.items():
                into = merged.setdefault(environment, {}).setdefault(target, [])
                into += [state for state in states if state not in into]
    return merged or {"base": {}}
