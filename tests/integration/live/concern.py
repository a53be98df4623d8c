# SPDX-License-Identifier: Apache-2.0
"""Whether what was sent to a node is what the change concerns, and no more."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from live.live_site import Object, Program

_COOKIE = re.compile(r"cookie=(0x[0-9a-f]+)")
_KINDS = {("networking.k8s.io/v1", "NetworkPolicy"): "NetworkPolicy", ("crd.antrea.io/v1beta1", "ClusterNetworkPolicy"): "AntreaClusterNetworkPolicy"}


def touched(before: Iterable[Object], after: Iterable[Object]) -> set[str]:
    """The policies that are not the same in both, as ``rules.json`` names them."""
    old, new = ({_name(policy): policy for policy in policies} for policies in (before, after))
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def surplus(before: Program, after: Program, node: str, lines: Sequence[str], policies: set[str]) -> list[str]:
    """What is wrong with the lines (``-`` and ``+``) that a node was sent: too many or too few, or verdicts of other policies."""
    wrong = []
    for sign, gone, come in (("-", before, after), ("+", after, before)):
        kept = set(_entries(come, node))
        expected = sum(entry not in kept for entry in _entries(gone, node))
        sent = sum(line.startswith(sign) for line in lines)
        if sent != expected:
            wrong.append(f"{node}: {sent} lines with {sign}, and {expected} differ")
    rules: Mapping[str, Any] = {**before.rules(node), **after.rules(node)}
    for line in lines:
        cookie = _COOKIE.search(line)
        rule = rules.get(cookie[1]) if cookie else None
        if rule and rule["policy"] not in policies and not rule["rule"].startswith("NetworkPolicy isolation"):
            wrong.append(f"{node}: {rule['rule']}: {line}")
    return wrong


def _entries(program: Program, node: str) -> list[str]:
    return [*program.text(node, "flows").splitlines(), *program.text(node, "groups").splitlines()]


def _name(policy: Object) -> str:
    kind = _KINDS.get((policy["apiVersion"], policy["kind"]), policy["kind"])
    metadata = policy["metadata"]
    return f"{kind} {metadata['namespace']}/{metadata['name']}" if "namespace" in metadata else f"{kind} {metadata['name']}"
