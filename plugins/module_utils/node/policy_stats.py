# SPDX-License-Identifier: Apache-2.0
"""How much each rule of the node's policies has decided: the counters of the flows that execute its verdict."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Collection, Mapping, NamedTuple, Optional

from ..errors import SluiceError
from ..natural_order import natural
from ..ovs.openflow.connection import Connection
from ..ovs.openflow.fields import FIELDS, HAS_MASK
from ..ovs.openflow.messages import read_flow_statistics
from ..pipeline.cookie import OWNER_MASK, OWNER_PROGRAM

_FACTS = ("rule", "policy", "name", "direction", "action")
_CT_STATE = FIELDS["ct_state"]
_NEW = 1


class Statistics(NamedTuple):
    """``sessions`` are packets of connections that are still unanswered (+new in ovs-fields(7)): usually one each, where they are allowed."""

    packets: int = 0
    bytes: int = 0
    sessions: int = 0

    def plus(self, other: Statistics) -> Statistics:
        return Statistics(*(own + others for own, others in zip(self, other)))


def read_policy_statistics(address: str, rules_file: str, policies: Optional[Collection[str]], timeout: float) -> dict[str, list[dict[str, Any]]]:
    """``rules`` and ``policies``, each sorted, as sluice.fabric.policy_stats_info returns them; of some ``policies`` or, with None, of all.

    Raises SluiceError if the rules cannot be read or the bridge at ``address`` cannot be reached.
    """
    rules = _read_rules(Path(rules_file))
    with Connection(address, timeout) as connection:
        flows = read_flow_statistics(connection, OWNER_PROGRAM << 48, OWNER_MASK)
    if policies is not None:
        rules = {cookie: rule for cookie, rule in rules.items() if rule["policy"] in policies}
    return summary(rules, count(rules, flows))


def count(cookies: Collection[int], flows: Mapping[bytes, tuple[int, int]]) -> dict[int, Statistics]:
    """What the flows with one of the cookies have counted; ``flows`` as `read_flow_statistics` gives them."""
    counted = dict.fromkeys(cookies, Statistics())
    for desc, (packets, octets) in flows.items():
        cookie = int.from_bytes(desc[12:20], "big")
        if packets and cookie in counted:
            # The match's own length comes before its fields.
            oxm = desc[24:20 + int.from_bytes(desc[22:24], "big")]
            counted[cookie] = counted[cookie].plus(Statistics(packets, octets, packets if _is_for_new(oxm) else 0))
    return counted


def summary(rules: Mapping[int, Mapping[str, Any]], counted: Mapping[int, Statistics]) -> dict[str, list[dict[str, Any]]]:
    """The numbers with what they are about, for every rule and, added up, for every policy."""
    policies: dict[str, Statistics] = {}
    listed = []
    for cookie, rule in rules.items():
        listed.append({**{fact: rule[fact] for fact in _FACTS}, **counted[cookie]._asdict()})
        policies[rule["policy"]] = policies.get(rule["policy"], Statistics()).plus(counted[cookie])
    return {"rules": sorted(listed, key=lambda entry: natural(entry["rule"])),
            "policies": [{"policy": policy, **policies[policy]._asdict()} for policy in sorted(policies, key=natural)]}


def _is_for_new(oxm: bytes) -> bool:
    """Whether the match has ``ct_state=+new``."""
    position = 0
    while position + 4 <= len(oxm):
        header = int.from_bytes(oxm[position:position + 4], "big")
        size = header & 0xFF
        if header >> 9 == _CT_STATE.oxm >> 9:
            value = oxm[position + 4:position + 4 + _CT_STATE.bytes]
            mask = oxm[position + 4 + _CT_STATE.bytes:position + 4 + size] if header & HAS_MASK else b"\xff"
            return bool(value[-1] & mask[-1] & _NEW)
        position += 4 + size
    return False


def _read_rules(path: Path) -> dict[int, Mapping[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {int(cookie, 16): {fact: rule[fact] for fact in _FACTS} for cookie, rule in content.items()}
    except OSError as error:
        raise SluiceError(f"{path} cannot be read: {error.strerror}; apply the node's program first") from error
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise SluiceError(f"{path} is damaged: {error}; apply the node's program again") from error
