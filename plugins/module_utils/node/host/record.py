# SPDX-License-Identifier: Apache-2.0
"""/var/lib/sluice/host-before.json: what was there before Sluice came, so that uninstalling puts it back."""
from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Mapping, Optional, TypeVar

from ...errors import SluiceError
from . import files
from .model import FIREWALLD_FILES, RECORD_FILE, SYSCTL_FILE, File, Host, Link, Neighbour, Route, Unit

Value = TypeVar("Value")


@dataclass(frozen=True)
class Record:
    """``host`` has, for every name that Sluice manages, what was there (None: nothing); ``directories`` are those that Sluice made."""

    host: Host = field(default_factory=lambda: Host(routes=(), neighbours=()))
    directories: tuple[str, ...] = ()


def _entry(kind: Any, value: Optional[Mapping[str, Any]]) -> Any:
    return None if value is None else kind(**{key: tuple(entry) if isinstance(entry, list) else entry for key, entry in value.items()})


def load(root: Path) -> Optional[Record]:
    """None if Sluice has not changed this host yet."""
    file = files.read(root, RECORD_FILE)
    if file is None:
        return None
    try:
        raw = json.loads(file.content)
        host = raw["host"]
        return Record(
            Host(
                sysctl=host["sysctl"],
                links={name: _entry(Link, value) for name, value in host["links"].items()},
                # What was there before is never one of WireGuard's that Sluice would know how to make again.
                wireguard=dict.fromkeys(host.get("wireguard", {})),
                routes=tuple(_entry(Route, value) for value in host["routes"]),
                neighbours=tuple(_entry(Neighbour, value) for value in host["neighbours"]),
                nftables=host["nftables"],
                files={path: _entry(File, value) for path, value in host["files"].items()},
                units={name: _entry(Unit, value) for name, value in host["units"].items()},
                firewall=host.get("firewall", {}),
            ),
            tuple(raw["directories"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SluiceError(f"{RECORD_FILE} is damaged ({error}); repair it, or remove it if nothing has to be put back as it was") from error


def save(root: Path, record: Record) -> None:
    text = json.dumps(asdict(record), indent=2, sort_keys=True) + "\n"
    files.write(root, RECORD_FILE, File(text, 0o600))


def remove(root: Path, record: Record) -> None:
    files.remove(root, RECORD_FILE)
    files.remove_empty(root, record.directories)


def merged(old: Record, found: Host, directories: list[str]) -> Record:
    """``old`` with what it does not know yet: the first state that was found is the one to go back to.

    So a route that turns up later on a link that is Sluice's already is drift, and not kept.
    """
    new = [route for route in found.routes or () if route.device not in old.host.links]
    routes = {route.key: route for route in (*new, *(old.host.routes or ()))}
    neighbours = {entry.key: entry for entry in (*(found.neighbours or ()), *(old.host.neighbours or ()))}
    host = Host(
        sysctl={**found.sysctl, **old.host.sysctl},
        links={**found.links, **old.host.links},
        wireguard={**dict.fromkeys(found.wireguard), **old.host.wireguard},
        routes=tuple(sorted(routes.values())),
        neighbours=tuple(sorted(neighbours.values())),
        nftables={**found.nftables, **old.host.nftables},
        files={**found.files, **old.host.files},
        units={**found.units, **old.host.units},
        firewall={**found.firewall, **old.host.firewall},
    )
    return Record(host, tuple(sorted({*old.directories, *directories})))


def _left(old: Mapping[str, Value], wanted: Mapping[str, Any]) -> dict[str, Value]:
    return {name: value for name, value in old.items() if name not in wanted}


def _gone_links(links: Mapping[str, Optional[Link]]) -> dict[str, Optional[Link]]:
    """A link that was not there before keeps no address; whoever made it removes it."""
    return {name: Link(addresses=()) if link is None else link for name, link in links.items()}


def _gone_units(units: Mapping[str, Optional[Unit]]) -> dict[str, Optional[Unit]]:
    """A unit that was not there before is stopped and disabled before its file goes."""
    return {name: unit or Unit(False, False) for name, unit in units.items()}


def _section(path: str) -> str:
    """The section to which a file belongs: some sections are made by files too."""
    return "sysctl" if path == SYSCTL_FILE else "firewall" if path in FIREWALLD_FILES else "files"


def with_restored(want: Host, record: Record, sections: frozenset[str]) -> Host:
    """``want``, and in the managed sections what was there before in place of what Sluice once managed and ``want`` names no more."""
    old = record.host
    stripped, keys = want.stripped, {route.key for route in want.routes or ()}
    old_files = {path: file for path, file in old.files.items() if _section(path) in sections}
    taken = {entry.key for entry in want.neighbours or ()}
    return replace(
        want,
        sysctl={**(old.sysctl if "sysctl" in sections else {}), **want.sysctl},
        links={**(_gone_links(_left(old.links, want.links)) if "links" in sections else {}), **want.links},
        wireguard={**(old.wireguard if "links" in sections else {}), **want.wireguard},
        routes=None if want.routes is None else tuple(sorted({
            *want.routes, *(route for route in old.routes or () if route.device not in stripped and route.key not in keys)})),
        neighbours=None if want.neighbours is None else tuple(sorted({
            *want.neighbours, *(entry for entry in old.neighbours or () if entry.key not in taken)})),
        nftables={**(old.nftables if "nftables" in sections else {}), **want.nftables},
        files={**old_files, **want.files},
        units={**(_gone_units(_left(old.units, want.units)) if "units" in sections else {}), **want.units},
        firewall={**(old.firewall if "firewall" in sections else {}), **want.firewall},
    )


def without_restored(record: Record, restored: Host, want: Host) -> Record:
    """The record once ``restored`` (of :func:`with_restored` for ``want``) is true: what was put back is no longer Sluice's."""
    def kept(old: Mapping[str, Value], now: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Value]:
        return {name: value for name, value in old.items() if name in wanted or name not in now}

    old = record.host
    return replace(record, host=Host(
        sysctl=kept(old.sysctl, restored.sysctl, want.sysctl),
        links=kept(old.links, restored.links, want.links),
        wireguard=kept(old.wireguard, restored.wireguard, want.wireguard),
        routes=tuple(route for route in old.routes or () if route not in (restored.routes or ())),
        neighbours=tuple(entry for entry in old.neighbours or () if entry not in (restored.neighbours or ())),
        nftables=kept(old.nftables, restored.nftables, want.nftables),
        files=kept(old.files, restored.files, want.files),
        units=kept(old.units, restored.units, want.units),
        firewall=kept(old.firewall, restored.firewall, want.firewall),
    ))
