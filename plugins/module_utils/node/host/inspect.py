# SPDX-License-Identifier: Apache-2.0
"""What a host is, in the shape in which it is configured."""
from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Optional

from ...errors import SluiceError
from ..nft import unmarked
from . import firewall, wireguard
from .model import PROTOCOL, Host, Link, Neighbour, Route, WireGuard
from .parse import SECTIONS, parse
from .plan import plan
from .read import read

PROGRAM_FILE = "/etc/sluice/host.json"


@dataclass(frozen=True)
class Finding:
    """``config`` has what was found under the names that were asked for; ``actions`` are what would make it as asked for."""

    config: dict[str, Any]
    actions: list[str]


def program(root: Path = Path("/")) -> dict[str, Any]:
    """The host settings that this node was last given; none if it was given none.

    :raises SluiceError: the file cannot be read, or is not JSON
    """
    path = root / PROGRAM_FILE.lstrip("/")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"routes": [], "neighbours": []}
    except (OSError, ValueError) as error:
        raise SluiceError(f"{PROGRAM_FILE} cannot be read: {error}; apply the node's program again") from error
    if not isinstance(config, dict):
        raise SluiceError(f"{PROGRAM_FILE} is not a mapping; apply the node's program again")
    return config


def inspect(config: Any, root: Path = Path("/")) -> Finding:
    """What is there under the names in ``config``, and all of Sluice's routes and neighbours.

    :raises InputError: ``config`` is wrong
    :raises SluiceError: something cannot be read
    """
    want, sections = parse(config)
    if "firewall" in sections:
        want = firewall.with_openings(want, firewall.active(root), root, Host())
    want = replace(want, wireguard=wireguard.with_public_keys(want.wireguard, root, check=True))
    have = read(want, root)
    found = _config(have)
    return Finding({section: found[section] for section in SECTIONS if section in sections}, plan(want, have).actions())


def _config(have: Host) -> dict[str, Any]:
    return {
        "sysctl": dict(have.sysctl),
        "links": [_link(name, link, have.wireguard.get(name)) for name, link in sorted(have.links.items()) if link is not None],
        "routes": [_route(route) for route in have.routes or () if route.protocol == PROTOCOL],
        "neighbours": [_neighbour(entry) for entry in have.neighbours or () if entry.protocol == PROTOCOL],
        "nftables": {name: None if text is None else unmarked(text) for name, text in have.nftables.items()},
        "firewall": dict(have.firewall),
        "files": {path: None if file is None else {"content": file.content.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
                                                   "mode": f"{file.mode:04o}"} for path, file in have.files.items()},
        "units": {name: None if unit is None else {"enabled": unit.enabled, "started": unit.started} for name, unit in have.units.items()},
    }


def _link(name: str, link: Link, device: Optional[WireGuard]) -> dict[str, Any]:
    found = {"name": name, "mac": link.mac, "mtu": link.mtu, "addresses": list(link.addresses or ()), "up": link.up}
    return found if device is None else {**found, "wireguard": {
        "public_key": device.public_key, "port": device.port,
        "peers": [{**asdict(peer), "allowed_ips": list(peer.allowed_ips)} for peer in device.peers]}}


def _present(**fields: Optional[Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _route(route: Route) -> dict[str, Any]:
    return {"destination": route.destination, "device": route.device,
            **_present(via=route.via, source=route.source, metric=route.metric, mtu=route.mtu, onlink=route.onlink)}


def _neighbour(entry: Neighbour) -> dict[str, Any]:
    return {"address": entry.address, "mac": entry.mac, "device": entry.device}
