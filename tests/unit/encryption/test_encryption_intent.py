# SPDX-License-Identifier: Apache-2.0
"""What is refused of an inventory with encryption, and why."""
from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "intent"))
from fresh_hosts import CLUSTER, hosts

from sluice.errors import InputError
from sluice.intent.load import load

SECRET = {"sluice_ipsec_secret": "x" * 32}


def load_with(cluster: dict[str, Any], *kinds: str, **per_host: Any) -> None:
    given = hosts(*range(1, len(kinds) + 1))
    for number, kind in enumerate(kinds, 1):
        given[f"node{number}"]["vars"] = {"sluice_encryption": kind, **per_host}
    load({**CLUSTER, **cluster}, given, "/")


def refused(message: str, cluster: dict[str, Any], *kinds: str, **per_host: Any) -> str:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load_with(cluster, *kinds, **per_host)
    return str(caught.value)


def test_ipsec_with_a_secret_is_taken() -> None:
    load_with(SECRET, "ipsec", "ipsec", "none")
    load_with({**SECRET, "sluice_traffic_mode": "hybrid"}, "ipsec", "ipsec")


def test_one_node_alone_needs_no_keys_yet() -> None:
    load_with({}, "ipsec", "wireguard", "none")


def test_what_does_not_fit_is_refused() -> None:
    refused("sluice_traffic_mode no_encap has none; expected sluice_traffic_mode encap or hybrid", {**SECRET, "sluice_traffic_mode": "no_encap"}, "ipsec")
    refused("sluice_traffic_mode is hybrid; expected sluice_traffic_mode encap", {"sluice_traffic_mode": "hybrid"}, "wireguard")
    refused("host node1: sluice_encryption: is ipsec, but sluice_datapath netdev sends", SECRET, "ipsec", sluice_datapath="netdev")
    refused("sluice_encryption: is 'tls'; expected one of none, ipsec, wireguard", {}, "tls")
    refused("host node2: sluice_encryption: is wireguard, but the node's public key is not known", {}, "wireguard", "wireguard")
    refused("sluice_ipsec_secret: is missing", {}, "ipsec", "ipsec")
    refused("host node1: sluice_encryption: is ipsec with certificates", {"sluice_ipsec": {"authentication": "ca"}}, "ipsec", "ipsec")


@pytest.mark.parametrize(("ipsec", "message"), [
    ({"authentication": "cert"}, "sluice_ipsec.authentication: is 'cert'; expected one of psk, self_signed, ca"),
    ({"cipher": "des"}, "sluice_ipsec.cipher: is 'des'; expected one of aes256gcm16"),
    ({"group": "modp1024"}, "sluice_ipsec.group: is 'modp1024'; expected one of ecp256"),
    ({"strict": "yes"}, "sluice_ipsec.strict: is a string ('yes'); expected true or false"),
    ({"nat": True}, "sluice_ipsec.nat: is not a known field"),
    (["psk"], "sluice_ipsec: is a list; expected a mapping"),
])
def test_fields_of_ipsec_are_checked(ipsec: object, message: str) -> None:
    refused(message, {"sluice_ipsec": ipsec}, "none")


def test_fields_of_wireguard_are_checked() -> None:
    refused("sluice_wireguard.port: is 0; expected a number from 1 to 65535", {"sluice_wireguard": {"port": 0}}, "none")
    refused("sluice_wireguard.mtu: is not a known field", {"sluice_wireguard": {"mtu": 1}}, "none")


@pytest.mark.parametrize("secret", ["hunter2-is-short", 7654321765432176543217654321765432176543])
def test_a_wrong_secret_is_not_shown(secret: object) -> None:
    text = refused("sluice_ipsec_secret:", {"sluice_ipsec_secret": secret}, "none")
    assert str(secret) not in text


def test_secrets_that_differ_are_not_shown() -> None:
    text = refused("sluice_ipsec_secret: is another here than elsewhere", SECRET, "none", sluice_ipsec_secret="y" * 40)
    assert "y" * 40 not in text and "x" * 32 not in text
