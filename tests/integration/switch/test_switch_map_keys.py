# SPDX-License-Identifier: Apache-2.0
"""The options that map_keys.py gives each type of tunnel are those that a real ovs-vswitchd reads."""
from __future__ import annotations

import re

import pytest
from ovs_sandbox import OvsSandbox

from sluice.ovs.switch.map_keys import PATCH, TUNNELS, Kind, key_problems

BY_OTHERS = ("psk", "remote_cert", "remote_name", "ipsec_*")
"""What ovs-monitor-ipsec reads."""
READ_EVERYWHERE = ("erspan_idx", "erspan_ver", "erspan_dir", "erspan_hwid", "payload_type", "key", "in_key", "out_key")
"""What ovs-vswitchd reads, and then has no use for, in tunnels of other types."""
VALUES = {"srv6_segs": "fd00::1"}


def right_value(key: str, kind: Kind) -> str:
    return VALUES.get(key) or (kind.words[0] if kind.words else str(kind.minimum or 0))


def settings(type_: str, keys: dict[str, Kind]) -> dict[str, str]:
    given = {key: right_value(key, kind) for key, kind in keys.items() if key not in BY_OTHERS}
    return {**given, "remote_ip": "flow", "local_ip": "flow"} if type_ in TUNNELS else given


@pytest.mark.parametrize("type_", sorted(TUNNELS))
def test_a_tunnel_has_these_options_and_no_others(ovs: OvsSandbox, type_: str) -> None:
    if type_ not in ovs.vsctl("get", "Open_vSwitch", ".", "iface_types"):
        pytest.skip("this version of Open vSwitch does not have the type")
    everything = {key: kind for keys in TUNNELS.values() for key, kind in keys.items()}
    ours = settings(type_, TUNNELS[type_])
    assert list(key_problems("Interface", "options", type_, ours)) == []
    options = {**settings(type_, {**everything, **PATCH}), **ours, "peer": "x"}
    ovs.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy", "--", "add-port", "br0", "t0", "--",
              "set", "Interface", "t0", f"type={type_}", *(f"options:{key}={value}" for key, value in options.items()))
    refused = set(re.findall(rf"unknown {type_} argument '(\w+)'", ovs.log("ovs-vswitchd")))
    assert refused == set(options) - set(ours) - set(READ_EVERYWHERE)
    assert "bad" not in ovs.log("ovs-vswitchd").partition("t0: ")[2]
