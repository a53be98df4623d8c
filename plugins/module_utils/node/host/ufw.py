# SPDX-License-Identifier: Apache-2.0
"""ufw: rules are added and deleted by its command, which keeps them for reloads and boots, and read from the files where it keeps them.

A rule is named by the words that make it, ``route allow in on sluice-gw0``. The tuples in ufw's files name rules too, one an IP version.
"""
from __future__ import annotations

import re
from pathlib import Path
from typing import Mapping

from ...errors import SluiceError
from ..process import output
from .model import Openings, Port, version

_RULES = {4: "etc/ufw/user.rules", 6: "etc/ufw/user6.rules"}
_ANY = {4: "0.0.0.0/0", 6: "::/0"}
_TUPLE = re.compile(r"^### tuple ### (.*?)(?: comment=\S*)?$", re.MULTILINE)
_RULE = re.compile(r"(route )?allow (in|out) on (\S+)(?: to (\S+)(?: port (\d+))? proto (\S+))?")


def _text(root: Path, file: str) -> str:
    try:
        return (root / file).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _setting(root: Path, file: str, name: str) -> bool:
    found = re.findall(rf"^{name}=[\"']?(\w+)", _text(root, file), re.MULTILINE)
    return bool(found) and str(found[-1]).lower() == "yes"


def is_installed(root: Path) -> bool:
    return (root / "usr/sbin/ufw").exists()


def is_active(root: Path) -> bool:
    """Whether ufw filters now and after the next boot: `ufw enable` and `ufw disable` write it down."""
    return is_installed(root) and _setting(root, "etc/ufw/ufw.conf", "ENABLED")


def _port_rule(port: Port) -> str:
    return f"allow in on {port.interface} to {port.address}{f' port {port.port}' if port.port else ''} proto {port.protocol}"


def rules(openings: Openings) -> list[str]:
    """What makes the openings. (ufw(8): `allow` is about the host's own packets, `route allow` about forwarded ones.)"""
    by_interface = [f"{what} {way} on {name}" for name in openings.interfaces for what in ("allow", "route allow") for way in ("in", "out")]
    return [_port_rule(port) for port in openings.ports] + by_interface


def _tuples(rule: str) -> dict[int, str]:
    """How ufw's files name the rule, by IP version."""
    found = _RULE.fullmatch(rule)
    if found is None:
        raise SluiceError(f"{rule!r} is not a ufw rule of Sluice's; repair the record of what was there before")
    route, way, interface, address, port, protocol = found.groups()
    return {number: f"{'route:' if route else ''}allow {protocol or 'any'} {port or 'any'} {address or anywhere} any {anywhere} {way}_{interface}"
            for number, anywhere in _ANY.items() if address is None or version(address) == number}


def read(want: Mapping[str, bool], root: Path) -> dict[str, bool]:
    """Whether the rules are there: for a rule that has to go, in any IP version; for another, in all that ufw filters."""
    if not is_installed(root):
        return dict.fromkeys(want, False)
    there = {number: set(_TUPLE.findall(_text(root, file))) for number, file in _RULES.items()}
    filtered = (4, 6) if _setting(root, "etc/default/ufw", "IPV6") else (4,)
    found = {}
    for rule, wanted in want.items():
        tuples = _tuples(rule)
        found[rule] = (all(tuples[number] in there[number] for number in tuples if number in filtered) if wanted
                       else any(name in there[number] for number, name in tuples.items()))
    return found


def command(rule: str, wanted: bool) -> list[str]:
    """The command that adds or deletes the rule. It goes before the others, since ufw takes the first that matches."""
    words = rule.split()
    route = words[:1] if words[0] == "route" else []
    return ["ufw", *route, "prepend" if wanted else "delete", *words[len(route):], *(["comment", "sluice"] if wanted else [])]


def change(rules_: Mapping[str, bool]) -> None:
    """:raises SluiceError: ufw refuses a rule"""
    for rule in sorted(rules_):
        output(command(rule, rules_[rule]), remedy="install the package ufw")
