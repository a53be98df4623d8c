# SPDX-License-Identifier: Apache-2.0
"""Tunnel packets in clear, dropped where they should be encrypted: as text inside the host's nftables table."""
from __future__ import annotations

from typing import Iterable

from ..compile.fabric import Fabric
from ..host.settings import TUNNEL_PORT
from ..intent.state import Node
from ..plan.underlay import endpoint_address

_WORD = {4: "ip", 6: "ip6"}
_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}


def strict_rules(fabric: Fabric, node: Node) -> str:
    """Rules for a node that has encrypted peers; empty where nothing is to be dropped.

    Coming in, only nodes that do not encrypt may send clear tunnel packets; going out, none go to those that do. The kernel's own policies
    say the same as long as strongSwan runs; these hold while it is stopped, started or upgraded, too. With the userspace datapath the
    kernel sees no tunnel packets.
    """
    encrypted = fabric.encrypted_peers(node)
    is_strict = node.encryption == "wireguard" or fabric.state.cluster.ipsec.strict
    if not encrypted or not is_strict or node.datapath == "netdev" or not fabric.takes_tunnelled(node):
        return ""
    version = fabric.underlay
    word = _WORD[version]
    tunnel = _tunnel_match(fabric.state.cluster.tunnel_type, version)
    clear = [endpoint_address(peer, version) for peer in fabric.clear_tunnel_peers(node)]
    sets = [_set("encrypted_peers", version, (endpoint_address(peer, version) for peer in encrypted))]
    unless_clear = ""
    if clear:
        sets.append(_set("clear_peers", version, clear))
        unless_clear = f" {word} saddr != @clear_peers"
    own = endpoint_address(node, version)
    return "".join([*sets,
                    _chain("encryption_in", "input", f"{word} daddr {own}{unless_clear} {tunnel} meta ipsec missing drop"),
                    _chain("encryption_out", "output", f"{word} daddr @encrypted_peers {tunnel} rt ipsec missing drop")])


def _tunnel_match(tunnel_type: str, version: int) -> str:
    tunnel = TUNNEL_PORT[tunnel_type]
    return f"udp dport {tunnel['port']}" if "port" in tunnel else f"{'ip protocol' if version == 4 else 'ip6 nexthdr'} {tunnel['protocol']}"


def _set(name: str, version: int, addresses: Iterable[str]) -> str:
    lines = ",\n".join(f"    {address}" for address in addresses)
    return f"set {name} {{\n  type {_TYPE[version]}\n  elements = {{\n{lines}\n  }}\n}}\n"


def _chain(name: str, hook: str, rule: str) -> str:
    # Before the filters of others, which may accept what they do not look into.
    return f"chain {name} {{\n  type filter hook {hook} priority -150; policy accept;\n  {rule}\n}}\n"
