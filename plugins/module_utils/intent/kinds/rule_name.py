# SPDX-License-Identifier: Apache-2.0
"""The names that Antrea gives to rules that have none."""
from __future__ import annotations

import hashlib
import json
from typing import Mapping

HASH_LENGTH = 7

# Antrea hashes what Go's encoder makes of its Rule type: the fields in the order in which the types declare them. No two of the types
# (rule, port, protocol, peer, appliedTo, selector …) declare two fields in opposite order, so one list orders them all.
_FIELDS = (
    *("action", "ports", "protocols", "l7Protocols", "from", "to", "toServices", "name", "namespace", "enableLogging", "logLabel"),
    *("appliedTo", "protocol", "port", "endPort", "sourcePort", "sourceEndPort", "icmp", "igmp", "icmpType", "icmpCode"),
    *("ipBlock", "podSelector", "namespaceSelector", "namespaces", "externalEntitySelector", "group", "fqdn", "serviceAccount", "service"),
    *("nodeSelector", "scope", "cidr", "except", "match", "sameLabels", "matchLabels", "matchExpressions", "key", "operator", "values"),
)


def automatic_rule_name(direction: str, action: str, rule: Mapping[str, object]) -> str:
    """``ingress-drop-742ade5``: the name of a rule as it was written (reference: antrea.md 1.6, "Rule names"); the same as Antrea's."""
    text = json.dumps(_in_order({"enableLogging": False, **rule}), separators=(",", ":"), ensure_ascii=False, default=str, skipkeys=True)
    digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return f"{direction}-{action.lower()}-{digest[:HASH_LENGTH]}"


def _in_order(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_in_order(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    made = {}
    for name in _FIELDS:
        item = value.get(name)
        if item is None or item in ("", [], ()):
            continue
        # Labels are data, which Go sorts.
        made[name] = dict(sorted(item.items(), key=str)) if name == "matchLabels" and isinstance(item, Mapping) else _in_order(item)
    return made
