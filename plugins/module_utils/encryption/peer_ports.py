# SPDX-License-Identifier: Apache-2.0
"""The ports of a switch's configuration that say with which peers its tunnels are encrypted."""
from __future__ import annotations

from typing import Any, Iterator, Mapping

PEER = "sluice-peer"
"""The external_id that names a port's peer."""


def peer_interfaces(switch: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each peer's name and the interface for it, of ``switch`` (switch.json)."""
    for bridge in switch.get("bridges", ()):
        for port in bridge.get("ports", ()):
            for interface in port.get("interfaces", ()):
                if PEER in interface.get("external_ids", {}):
                    yield interface["external_ids"][PEER], interface
