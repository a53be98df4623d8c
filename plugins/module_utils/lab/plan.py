# SPDX-License-Identifier: Apache-2.0
"""What has to be done to make a lab as described: the difference of two descriptions, nothing else."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

Description = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One thing to do; ``verb`` says what, ``node`` is empty where the lab as a whole is meant."""

    verb: str
    node: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.node}".strip()


def steps(before: Description, after: Description) -> list[Step]:
    """The steps, in order, from ``before`` to ``after``, each {network, outside_answers, nodes: {name: description}, access}."""
    found: list[Step] = []
    rebuilt = before["network"] != after["network"]
    old, new = before["nodes"], after["nodes"]
    for name in sorted(old):
        if name not in new or old[name]["image"] != new[name]["image"]:
            found.append(Step("remove", name))
        elif old[name]["running"] and (rebuilt or old[name] != new[name]):
            found.append(Step("stop", name))
    if rebuilt:
        found.append(Step("build network"))
    if rebuilt or not before["outside_answers"]:
        found.append(Step("start outside"))
    for name in sorted(new):
        if name not in old or old[name]["image"] != new[name]["image"]:
            found.append(Step("create", name))
        elif old[name] == new[name] and not rebuilt:
            continue
        elif _content(old[name]) != _content(new[name]):
            found.append(Step("configure", name))
        found.append(Step("start", name))
    if any(step.verb in ("create", "remove") for step in found) or before["access"] != after["access"]:
        found.append(Step("write access"))
    return found


def _content(node: Description) -> Description:
    return {key: value for key, value in node.items() if key not in ("running", "connected")}
