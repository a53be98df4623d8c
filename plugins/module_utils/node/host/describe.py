# SPDX-License-Identifier: Apache-2.0
"""Before and after, for people: the same text whether it was done or only predicted."""
from __future__ import annotations

from dataclasses import replace
from typing import Mapping, Optional

from ..nft import is_current, normal, unmarked
from . import wireguard
from .model import PROTOCOL, File, Host, Link, Unit
from .plan import displaced, neighbour_line, route_line


def _link(name: str, link: Optional[Link], managed: Link) -> list[str]:
    if link is None:
        return []
    lines = [] if managed.mac is None else [f"link {name} mac {link.mac}"]
    lines += [] if managed.mtu is None else [f"link {name} mtu {link.mtu}"]
    # A link that is down is shown as one that is not there yet: check mode cannot know which of the two the run will find.
    lines += [f"link {name} up"] if managed.up is not None and link.up else []
    return lines + [f"link {name} address {address}" for address in link.addresses or () if managed.addresses is not None]


def _table(name: str, text: Optional[str]) -> list[str]:
    if text is None:
        return []
    return [f"table {name} {{", *(f"\t{line}" for line in normal(unmarked(text)).splitlines()), "}"]


def _unit(name: str, unit: Optional[Unit], managed: Unit) -> list[str]:
    unit = unit or Unit(False, False)
    lines = [] if managed.enabled is None else [f"unit {name} {'enabled' if unit.enabled else 'disabled'}"]
    return lines + ([] if managed.started is None else [f"unit {name} {'started' if unit.started else 'stopped'}"])


def _lines(host: Host, want: Host, others: Mapping[str, frozenset[object]]) -> str:
    settings = {key: host.sysctl.get(key) for key in sorted(want.sysctl) if want.sysctl[key] is not None}
    lines = [f"sysctl {key} = {value}" for key, value in settings.items() if value is not None]
    for name in sorted(want.links):
        lines += _link(name, host.links.get(name), want.links[name] or Link())
    for name in sorted(want.wireguard):
        lines += wireguard.lines(name, host.wireguard.get(name))
    if want.neighbours is not None:
        lines += [f"neighbour {neighbour_line(entry)}" for entry in host.neighbours or ()
                  if entry.protocol == PROTOCOL or entry.key in others["neighbours"]]
    if want.routes is not None:
        lines += [f"route {route_line(route)}" for route in host.routes or () if route.protocol == PROTOCOL or route in others["routes"]]
    for name in sorted(want.nftables):
        lines += _table(name, host.nftables.get(name))
    lines += [f"firewall {statement}" for statement in sorted(want.firewall) if host.firewall.get(statement)]
    for name in sorted(want.units):
        unit = want.units[name]
        lines += [] if unit is None else _unit(name, host.units.get(name), unit)
    return "".join(f"{line}\n" for line in lines)


def _file(file: Optional[File]) -> str:
    if file is None:
        return ""
    content = file.content.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return f"# mode {file.mode:04o}, owner {file.owner[0]}:{file.owner[1]}\n{content}"


def diff(want: Host, have: Host) -> list[dict[str, str]]:
    """Ansible's diff entries: one for the host, one for each file that changes; empty if nothing does."""
    routes: frozenset[object] = frozenset({*displaced(want, have), *(want.routes or ())})
    others = {"routes": routes, "neighbours": frozenset(entry.key for entry in want.neighbours or ())}
    # A table that is as asked for is shown as asked for on both sides: the kernel's way of writing it is no difference.
    tables = {name: text if text is not None and is_current(have.nftables.get(name), text) else have.nftables.get(name)
              for name, text in want.nftables.items()}
    before = replace(have, nftables=tables)
    entries = []
    texts = _lines(before, want, others), _lines(want, want, others)
    if texts[0] != texts[1]:
        entries.append({"before_header": "host", "after_header": "host", "before": texts[0], "after": texts[1]})
    changed = [path for path in sorted(want.files) if have.files.get(path) != want.files[path]]
    return entries + [{"before_header": path, "after_header": path, "before": _file(have.files.get(path)), "after": _file(want.files[path])}
                      for path in changed]
