# SPDX-License-Identifier: Apache-2.0
"""The VF that a container runtime names in the network configuration."""
from __future__ import annotations

from typing import Any

import pytest

from sluice.node.cni.request import CniError, parse_config

CONFIG: dict[str, Any] = {"cniVersion": "1.0.0", "bridge": "br-sluice", "mtu": 1450, "gateways": ["10.10.0.1"], "node_cidrs": ["10.10.0.0/24"]}


@pytest.mark.parametrize("given", [
    {"deviceID": "0000:03:00.2"}, {"runtimeConfig": {"deviceID": "0000:03:00.2"}},
    {"deviceID": "0000:03:00.2", "runtimeConfig": {"deviceID": "0000:03:00.2"}}])
def test_it_is_read_from_both_places(given: dict[str, Any]) -> None:
    assert parse_config({**CONFIG, **given}).device == "0000:03:00.2"


def test_without_one_the_pod_gets_a_veth_pair() -> None:
    assert parse_config({**CONFIG, "deviceID": "", "runtimeConfig": {}}).device == ""


@pytest.mark.parametrize(("given", "words"), [
    ({"deviceID": "ens1f0v2"}, "'deviceID' is 'ens1f0v2', expected a PCI address"),
    ({"deviceID": "0000:03:00.2/../x"}, "expected a PCI address"),
    ({"deviceID": 5}, "expected a PCI address"),
    ({"deviceID": "0000:03:00.2", "datapath": "netdev"}, "only offloaded by the kernel's datapath"),
])
def test_what_is_no_vf_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(CniError) as refused:
        parse_config({**CONFIG, **given})
    assert words in str(refused.value) and refused.value.code == 7
