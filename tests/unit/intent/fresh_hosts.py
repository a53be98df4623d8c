# SPDX-License-Identifier: Apache-2.0
"""Hosts as they are found before Sluice: a management interface, a transport interface, a default route."""
from __future__ import annotations

from typing import Any


def facts(number: int) -> dict[str, Any]:
    return {
        "architecture": "x86_64",
        "interfaces": {
            "lo": {"mtu": 65536, "mac": "00:00:00:00:00:00", "addresses": ["127.0.0.1/8", "::1/128"]},
            "eth0": {"mtu": 1500, "mac": f"52:54:00:00:00:{number:02x}", "addresses": [f"192.0.2.{number}/24"]},
            "eth1": {
                "mtu": 1500,
                "mac": f"52:54:00:00:01:{number:02x}",
                "addresses": [f"192.168.77.{number}/24", f"fd77::{number}/64", "fe80::1/64"],
            },
        },
        "routes": [
            {"destination": "default", "via": "192.168.77.1", "device": "eth1"},
            {"destination": "192.168.77.0/24", "via": "", "device": "eth1"},
            {"destination": "default", "via": "fd77::1", "device": "eth1"},
            {"destination": "fe80::/64", "device": "eth1"},
            {"destination": "192.0.2.0/24", "device": "eth0"},
        ],
    }


def hosts(*numbers: int) -> dict[str, dict[str, Any]]:
    return {f"node{number}": {"vars": {}, "facts": facts(number)} for number in numbers}


CLUSTER: dict[str, Any] = {"sluice_pod_cidrs": ["10.10.0.0/16", "fd10:10::/48"], "sluice_service_cidrs": ["10.96.0.0/16"]}
