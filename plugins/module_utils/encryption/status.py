# SPDX-License-Identifier: Apache-2.0
"""Whether a node can exchange encrypted packets with its peers now, and if not, why: for verify."""
from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, NamedTuple, Optional, Sequence

from ..node.process import answer
from ..plan.addresses import WIREGUARD
from .peer_ports import peer_interfaces

PROGRAM = "/etc/sluice"
HANDSHAKE_LASTS = 180
"""Seconds after which WireGuard takes no packet without a new handshake (its paper, section 6.1, Reject-After-Time)."""
_LOG_LINES = 2000
_REASONS = (
    ("MAC mismatched", "its pre-shared key is another one"),
    ("AUTHENTICATION_FAILED", "it does not accept this node's key or certificate"),
    ("NO_PROPOSAL_CHOSEN", "it does not accept these ciphers"),
    ("certificate was revoked", "its certificate is revoked"),
    ("certificate is revoked", "its certificate is revoked"),
    ("certificate invalid (valid from", "its certificate has expired, or is not valid yet"),
    ("no trusted", "its certificate is signed by nobody that this node believes"),
    ("no private key found", "this node has no private key for its certificate"),
    ("no shared key found", "this node has no pre-shared key for it"),
    ("giving up after", "it does not answer"),
)
_PEER = re.compile(r"received packet: from ([0-9a-fA-F.:]+)\[|sending packet: from \S+ to ([0-9a-fA-F.:]+)\[|initiating IKE_SA \S+ to ([0-9a-fA-F.:]+)")
_THREAD = re.compile(r"^(\d+)\[")


class PeerStatus(NamedTuple):
    """Of one peer; ``reason`` is empty if packets can pass."""

    peer: str
    """Its node's name, or of WireGuard its address."""
    kind: str
    reason: str


def read(folder: str = PROGRAM) -> list[PeerStatus]:
    """Of all peers with which the node's program encrypts; none on a node without one."""
    return [*_ipsec(_json(Path(folder, "switch.json"))), *_wireguard(_json(Path(folder, "host.json")))]


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _ipsec(switch: Mapping[str, Any]) -> Iterator[PeerStatus]:
    peers = {interface["options"]["remote_ip"]: peer for peer, interface in peer_interfaces(switch)}
    if not peers:
        return
    associated, policed = associations(answer("ip", "xfrm", "state").splitlines()), policies(answer("ip", "xfrm", "policy").splitlines())
    missing = [address for address in peers if not associated.get(address, set()) >= {"in", "out"}]
    reasons = log_reasons(answer("journalctl", "--quiet", "--output=cat", "--boot", f"--lines={_LOG_LINES}", "SYSLOG_IDENTIFIER=charon",
                                 "+", "SYSLOG_IDENTIFIER=ipsec").splitlines()) if missing else {}
    for address, peer in sorted(peers.items(), key=lambda item: item[1]):
        reason = ""
        if address not in policed:
            reason = "the kernel does not encrypt for it: see whether openvswitch-ipsec.service runs"
        elif address in missing:
            reason = "there is no security association with it: " + reasons.get(address, "see `journalctl -t charon`")
        yield PeerStatus(peer, "ipsec", reason)


def associations(lines: Iterable[str]) -> dict[str, set[str]]:
    """Address to ``in`` and ``out``, where ``ip xfrm state`` has an association from and to it. One that is only asked for has SPI 0."""
    found: dict[str, set[str]] = {}
    ends: tuple[str, str] = ("", "")
    for line in lines:
        words = line.split()
        if words[:1] == ["src"] and words[2:3] == ["dst"] and not line[0].isspace():
            ends = (words[1], words[3])
        elif words[:2] == ["proto", "esp"] and words[3:4] != ["0x00000000"]:
            found.setdefault(ends[0], set()).add("in")
            found.setdefault(ends[1], set()).add("out")
    return found


def policies(lines: Iterable[str]) -> set[str]:
    """Addresses to which ``ip xfrm policy`` lets nothing of a tunnel out in clear."""
    found, destination = set(), ""
    for line in lines:
        words = line.split()
        if words[:1] == ["src"] and words[2:3] == ["dst"] and not line[0].isspace():
            destination = words[3].partition("/")[0]
        elif words[:2] == ["dir", "out"]:
            found.add(destination)
    return found


def log_reasons(lines: Sequence[str]) -> dict[str, str]:
    """Address to the newest reason that strongSwan's log has for not coming to an agreement with it.

    Each line begins with the number of a thread, which works on one exchange at a time. Of an exchange the first reason counts: that no
    trusted key was found is also said of a certificate which was refused for what it is.
    """
    peers: dict[str, str] = {}
    reasons: dict[str, str] = {}
    explained: set[str] = set()
    for line in lines:
        thread = _THREAD.match(line)
        if thread is None:
            continue
        named = _PEER.search(line)
        if named is not None:
            peers[thread[1]] = next(filter(None, named.groups()))
            explained.discard(thread[1])
        reason = next((words for text, words in _REASONS if text in line), "")
        if reason and thread[1] in peers and thread[1] not in explained:
            reasons[peers[thread[1]]] = reason
            explained.add(thread[1])
    return reasons


def _wireguard(host: Mapping[str, Any]) -> Iterator[PeerStatus]:
    devices = [link["wireguard"] for link in host.get("links", ()) if link.get("name") == WIREGUARD and "wireguard" in link]
    if not devices:
        return
    lines = answer("wg", "show", WIREGUARD, "latest-handshakes").splitlines()
    handshakes = {key: int(when) for key, when in (line.split("\t") for line in lines)}
    private = Path(devices[0]["private_key_file"])
    is_other = private.exists() and answer("wg", "show", WIREGUARD, "public-key") != answer("wg", "pubkey", text=private.read_text(encoding="ascii"))
    for peer in devices[0]["peers"]:
        reason = f"{WIREGUARD} has not the key in {private}: apply the node's program again" if is_other else ""
        yield PeerStatus(peer["endpoint"].rpartition(":")[0].strip("[]"), "wireguard",
                         reason or handshake_reason(handshakes.get(peer["public_key"]), time.time()))


def handshake_reason(when: Optional[int], now: float) -> str:
    """Why no packet passes; ``when``: of the newest handshake in seconds since the epoch, 0 without one, None without such a peer."""
    if when is None:
        return f"{WIREGUARD} has no such peer: apply the node's program again"
    if when == 0:
        return "there has been no handshake with it: see whether its key is the one that this node knows, and its port reachable"
    return f"the last handshake with it was {now - when:.0f} s ago" if now - when > HANDSHAKE_LASTS else ""
