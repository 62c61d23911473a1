# SPDX-License-Identifier: MIT OR Apache-2.0
"""Decides calls by a policy, as the stand-ins for qrexec's daemon and its policy do.

Usage: policy_calls.py FOLDER < TABLE

TABLE is a JSON object: the machine, and the sources, targets and services of the calls, which are
all combinations of them, the last one changing first. A service is as a caller would write it, its
argument included. Prints a JSON object: the different decisions; for each call which of them it
is; the places of all rules; and those of the rules without which a decision would be another.
"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "standin/lib"))
import standin_policy  # noqa: E402

policy = standin_policy.load([sys.argv[1]])
table = json.load(sys.stdin)
machine = table["machine"]


class Few(standin_policy.Policy):
    """The rules that can match a source and a service. What a dialog offers, if the rule leaves it
    open, is the same for every target."""

    def __init__(self, rules):  # pylint: disable=super-init-not-called
        self.rules = rules
        self.offered = None

    def _targets(self, *call):
        if self.offered is None:
            self.offered = super()._targets(*call)
        return self.offered


def decision(rules, source, target, service, argument):
    found = rules.decide(machine, source, target, service, argument)
    return (found.action, found.target, tuple(found.targets), found.default_target), found.rule


numbers, calls, needed = {}, [], set()
for source in table["sources"]:
    columns = []
    for service in table["services"]:
        try:
            name, plus, argument = standin_policy.check_call(service, "")[0].partition("+")
        except ValueError:
            columns.append(None)
            continue
        argument = plus + argument if plus else "+"
        few = Few([rule for rule in policy.rules
                   if rule.is_for(machine, source, name, argument)])
        # Beside the rules, those that are left without one of them, as they are asked for.
        columns.append((few, name, argument, {}))
    for target in table["targets"]:
        target = standin_policy.check_call("any", target)[1]
        for column in columns:
            found = ("deny", None, (), None)
            if column:
                few, name, argument, without = column
                found, place = decision(few, source, target, name, argument)
                if place is not None and place not in needed:
                    if place not in without:
                        without[place] = Few([rule for rule in few.rules if rule.place != place])
                    if decision(without[place], source, target, name, argument)[0] != found:
                        needed.add(place)
            calls.append(numbers.setdefault(found, len(numbers)))
print(json.dumps({"decisions": list(numbers), "calls": calls, "needed": sorted(needed),
                  "rules": [rule.place for rule in policy.rules]}))
