# SPDX-License-Identifier: Apache-2.0
"""Pre-shared keys: who has which, and that no artifact has any."""
from __future__ import annotations

import hashlib
import hmac
import json
import sys
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from sluice.compile.artifacts import artifact_files
from sluice.encryption.psk import pair_key, switch_secrets
from sluice.ovs.switch.secrets import with_secrets
from states import cluster_state

SECRET = "0123456789abcdef0123456789abcdef"


def test_a_key_is_that_of_the_pair_in_either_order() -> None:
    assert pair_key(SECRET, "b", "a") == pair_key(SECRET, "a", "b")
    assert pair_key(SECRET, "a", "b") == hmac.new(SECRET.encode(), b"sluice ipsec psk\0a\0b", hashlib.sha256).hexdigest()


def test_no_two_pairs_share_a_key() -> None:
    names = ["a", "b", "ab", "c", "bc", "node1", "node11"]
    keys = [pair_key(SECRET, *pair) for pair in combinations(names, 2)]
    assert len(set(keys)) == len(keys)
    assert pair_key(SECRET[::-1], "a", "b") not in keys


def test_both_ends_get_the_same_key_and_the_artifacts_none() -> None:
    files = dict(artifact_files(cluster_state(3, 0, datapath="system", encryption=["ipsec"] * 3)))
    switches = {node: json.loads(files[f"{node}/switch.json"]) for node in ("node1", "node2", "node3")}
    secrets = {node: switch_secrets(switch, node, SECRET) for node, switch in switches.items()}
    found: dict[frozenset[str], list[str]] = {}
    for node, switch in switches.items():
        config = with_secrets(switch, secrets[node])
        for port in config["bridges"][0]["ports"][2:]:
            interface = port["interfaces"][0]
            found.setdefault(frozenset([node, interface["external_ids"]["sluice-peer"]]), []).append(interface["options"]["psk"])
    assert len(found) == 3
    assert all(len(keys) == 2 and len(set(keys)) == 1 for keys in found.values())
    everything = "".join(files.values())
    assert "psk" not in everything
    assert not any(key in everything for keys in found.values() for key in keys)


def test_certificates_need_no_secrets() -> None:
    for authentication in ("self_signed", "ca"):
        state = cluster_state(2, 0, datapath="system", encryption=["ipsec"] * 2, ipsec={"authentication": authentication})
        switch = json.loads(dict(artifact_files(state))["node1/switch.json"])
        assert switch_secrets(switch, "node1", SECRET) == {}
