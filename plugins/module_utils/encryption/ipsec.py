# SPDX-License-Identifier: Apache-2.0
"""What a node needs so that ovs-monitor-ipsec and the kernel encrypt its tunnels.

The pods' packets leave by the one tunnel port that all peers share, whose flows say where to. ovs-monitor-ipsec wants to know the peers
from ports with a fixed remote_ip, so each encrypted peer has one that carries nothing: it makes the kernel encrypt every packet of the
tunnels' protocol and port between the two addresses, whichever port sent it. See docs/decisions/0009.
"""
from __future__ import annotations

import hashlib
from typing import Any

from ..compile.fabric import Fabric
from ..intent.state import Ipsec, Node
from ..plan.esp import CIPHERS
from ..plan.underlay import endpoint_address
from .pairs import tunnel_ofport, tunnel_port
from .paths import IPSEC, PRIVATE_KEY
from .peer_ports import PEER

KEY_OF_NO_PACKET = "0xffffff"
"""The largest VNI (RFC 7348 section 5, RFC 8926 section 3.4). Pods' packets have 0, so none of them matches a peer's own port."""
MONITOR_UNIT = "openvswitch-ipsec.service"
STARTER_UNIT = "strongswan-starter.service"
DPD_SECONDS = 10
STRONGSWAN_FILE = "/etc/strongswan.d/sluice.conf"
STRONGSWAN_TEXT = """# Written by Sluice; changes are overwritten.
charon {
  # Only tunnels are encrypted: no route of the host's has to lead elsewhere for it.
  install_routes = no
  # A peer that does not answer is given up after 2 + 3 + 4.5 + 6.75 s, not after 165.
  retransmit_timeout = 2
  retransmit_base = 1.5
  retransmit_tries = 3
  # New keys are there before the old ones go, so that nothing is lost.
  make_before_break = yes
}
"""


def peers(fabric: Fabric, node: Node) -> list[Node]:
    """The other nodes to and from which the node's tunnels are encrypted."""
    return fabric.encrypted_peers(node) if node.encryption == "ipsec" else []


def tunnel_ports(fabric: Fabric, node: Node) -> list[dict[str, Any]]:
    """The ports for ovs-monitor-ipsec, by peer; without the pre-shared keys, which no file has (:mod:`.psk`)."""
    cluster, ports = fabric.state.cluster, []
    for peer in peers(fabric, node):
        name, number = tunnel_port(fabric.tunnel_ids[peer.name]), fabric.tunnel_ids[peer.name]
        options = {
            "remote_ip": endpoint_address(peer, fabric.underlay),
            "local_ip": endpoint_address(node, fabric.underlay),
            "key": KEY_OF_NO_PACKET,
            **_connection(cluster.ipsec),
            **_credentials(cluster.ipsec, peer),
        }
        interface = {
            "name": name,
            "type": cluster.tunnel_type,
            "ofport_request": tunnel_ofport(number),
            "options": options,
            "external_ids": {PEER: peer.name},
        }
        ports.append({"name": name, "interfaces": [interface]})
    return ports


def _connection(ipsec: Ipsec) -> dict[str, str]:
    """What ovs-monitor-ipsec hands to strongSwan (ipsec.conf(5)). With `!` what is not named is not offered either."""
    cipher = CIPHERS[ipsec.cipher]
    options = {
        "ipsec_ike": f"{cipher.ike}-{ipsec.group}!",
        "ipsec_esp": f"{cipher.strongswan}-{ipsec.group}!",
        # A peer that has lost its keys, after a boot say, is asked again; else packets would go nowhere until the keys' end.
        "ipsec_dpdaction": "clear",
        "ipsec_dpddelay": f"{DPD_SECONDS}s",
        # The addresses of a node are the inventory's: a tunnel never follows another one that the host has.
        "ipsec_mobike": "no",
    }
    return {**options, "ipsec_forceencaps": "yes"} if ipsec.nat_traversal else options


def _credentials(ipsec: Ipsec, peer: Node) -> dict[str, str]:
    if ipsec.authentication == "self_signed":
        return {"remote_cert": certificate_path(peer)}
    return {"remote_name": peer.name} if ipsec.authentication == "ca" else {}


def certificate_path(node: Node) -> str:
    """Named for what is in it, because ovs-monitor-ipsec takes another certificate only from another path."""
    return f"{IPSEC}/certs/sluice-{_digest(node.keys.certificate)}.pem"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _authority_path(text: str) -> str:
    return f"{IPSEC}/cacerts/sluice-{_digest(text)}.pem"


def switch_settings(fabric: Fabric, node: Node) -> dict[str, str]:
    """Keys of the switch's other_config. With pre-shared keys there must be none (ovs-monitor-ipsec(8))."""
    ipsec = fabric.state.cluster.ipsec
    if ipsec.authentication == "psk" or not peers(fabric, node):
        return {}
    settings = {"certificate": certificate_path(node), "private_key": PRIVATE_KEY}
    return {**settings, "ca_cert": _authority_path(node.keys.authorities[0])} if ipsec.authentication == "ca" and node.keys.authorities else settings


def node_files(fabric: Fabric, node: Node) -> dict[str, str]:
    """Path to text of what strongSwan has to find when it starts, and of every certificate and revocation list before a port names it."""
    ipsec, others = fabric.state.cluster.ipsec, peers(fabric, node)
    if not others:
        return {}
    files = {STRONGSWAN_FILE: STRONGSWAN_TEXT}
    if ipsec.authentication == "psk":
        return files
    files[certificate_path(node)] = node.keys.certificate
    if ipsec.authentication == "self_signed":
        return {**files, **{certificate_path(peer): peer.keys.certificate for peer in others}}
    files.update((_authority_path(text), text) for text in node.keys.authorities)
    files.update((f"{IPSEC}/crls/sluice-{_digest(text)}.pem", text) for text in node.keys.revocations)
    return files


def units(fabric: Fabric, node: Node) -> dict[str, dict[str, bool]]:
    """ovs-monitor-ipsec starts strongSwan itself, so its own unit is not to do so a second time."""
    if not peers(fabric, node):
        return {}
    return {MONITOR_UNIT: {"enabled": True, "started": True}, STARTER_UNIT: {"enabled": False}}


def openings() -> list[dict[str, Any]]:
    """What firewalls have to let pass: IKE and ESP within UDP (RFC 7296 section 2.23), and ESP."""
    return [{"protocol": "udp", "port": 500}, {"protocol": "udp", "port": 4500}, {"protocol": "esp"}]
