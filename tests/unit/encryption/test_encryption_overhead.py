# SPDX-License-Identifier: Apache-2.0
"""The bytes that encryption takes, against the layouts in the RFCs."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from sluice.plan.esp import CIPHERS, esp_length, esp_payload
from sluice.plan.underlay import pod_mtu
from states import cluster_state

LAYOUTS = {
    # RFC 4303: SPI 4, sequence number 4; IV; payload, padding, pad length 1, next header 1; ICV.
    "aes256gcm16": (8, 16, 4), "aes128gcm16": (8, 16, 4),  # RFC 4106
    "chacha20poly1305": (8, 16, 4),  # RFC 7634
    "aes256-sha256": (16, 16, 16), "aes128-sha256": (16, 16, 16),  # RFC 3602, RFC 4868
}


@pytest.mark.parametrize("name", CIPHERS)
@pytest.mark.parametrize("udp", [False, True])
def test_length_is_that_of_the_layout(name: str, udp: bool) -> None:
    iv, icv, block = LAYOUTS[name]
    for payload in range(1, 200):
        padding = next(padding for padding in range(block) if (payload + padding + 1 + 1) % block == 0)
        assert esp_length(payload, CIPHERS[name], udp) == (8 if udp else 0) + 4 + 4 + iv + payload + padding + 1 + 1 + icv


@pytest.mark.parametrize("name", CIPHERS)
@pytest.mark.parametrize("udp", [False, True])
def test_the_largest_payload_fits_and_one_byte_more_does_not(name: str, udp: bool) -> None:
    for room in range(100, 1600):
        payload = esp_payload(room, CIPHERS[name], udp)
        assert esp_length(payload, CIPHERS[name], udp) <= room < esp_length(payload + 1, CIPHERS[name], udp)


@pytest.mark.parametrize(("settings", "underlay", "expected"), [
    # 1500 - 20 (IPv4) = 1480, - 8 - 8 - 16 = 1448, which is a multiple of 4, - 2 = 1446, - 8 - 8 (UDP, Geneve) - 14 (Ethernet).
    ({}, 4, 1416), ({}, 6, 1396),
    ({"ipsec": {"nat_traversal": True}}, 4, 1408),
    # 1480 - 8 - 16 - 16 = 1440 = 90 blocks, - 2 - 30.
    ({"ipsec": {"cipher": "aes256-sha256"}}, 4, 1408),
    # 1446 - 4 (GRE) - 14.
    ({"tunnel_type": "gre"}, 4, 1428),
    ({"tunnel_type": "vxlan"}, 4, 1416),
    ({"traffic_mode": "hybrid"}, 4, 1416),
])
def test_mtu_with_ipsec(settings: dict[str, object], underlay: int, expected: int) -> None:
    state = cluster_state(2, 0, datapath="system", encryption=["ipsec"], **settings)  # type: ignore[arg-type]
    assert pod_mtu(state, underlay) == expected


@pytest.mark.parametrize(("underlay", "expected"), [(4, 1440), (6, 1420)])
@pytest.mark.parametrize("nodes", [["wireguard"], ["wireguard", "wireguard"], ["none", "wireguard"]])
def test_mtu_with_wireguard(nodes: list[str], underlay: int, expected: int) -> None:
    """One node is enough: the others are about to follow, and pods keep their MTU while they do."""
    assert pod_mtu(cluster_state(2, 0, encryption=nodes), underlay) == min(expected, 1450 if underlay == 4 else 1430)


def test_of_several_the_dearest_decides() -> None:
    assert pod_mtu(cluster_state(2, 0, datapath="system", encryption=["ipsec", "wireguard"]), 4) == 1416
