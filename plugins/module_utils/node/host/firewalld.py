# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function  # the engine knows no Ansible module
"""firewalld (0.9 or newer): a zone and policies of Sluice's own, as files, which firewalld loads at boots and reloads.

Files and no commands: what takes a zone or policy to be known is a reload in either case, and files of Sluice's own touch no zone of others.
"""
from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Iterable, Mapping, Optional

from ...errors import SluiceError
from ..process import ENVIRONMENT
from .model import FIREWALLD_POLICIES, FIREWALLD_ZONE, File, Openings, Port, version

ZONE = "sluice"
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<!-- Written by sluice.fabric.host; changes are overwritten. -->\n'
# Before policies and zones of others, which have priorities from -1 on: firewalld.policies(5).
_PRIORITY = -15000
_SERVICE = "org.fedoraproject.FirewallD1"


def is_installed(root: Path) -> bool:
    return (root / "usr/sbin/firewalld").exists()


def _ask(interface: str, *call: str) -> Optional[str]:
    """The text that a method of firewalld's returns; None if it does not run. busctl takes a tenth of firewall-cmd's time."""
    command = ["busctl", "--auto-start=no", "call", _SERVICE, "/org/fedoraproject/FirewallD1", interface, *call]
    try:
        result = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    except FileNotFoundError:
        return None
    found = re.fullmatch(r's "(.*)"', result.stdout.strip())
    return found[1] if result.returncode == 0 and found else None


def is_active(root: Path) -> bool:
    return is_installed(root) and _ask(_SERVICE, "getDefaultZone") is not None


def _zone(interfaces: Iterable[str]) -> str:
    lines = "".join(f'  <interface name="{name}"/>\n' for name in interfaces)
    return (f'{_HEAD}<zone target="ACCEPT">\n  <short>Sluice</short>\n  <description>The gateways into the pod network, whose bridge judges'
            f' what passes.</description>\n{lines}</zone>\n')


def _policy(ingress: str, egress: str, target: str, rules: str = "") -> str:
    return (f'{_HEAD}<policy priority="{_PRIORITY}" target="{target}">\n  <ingress-zone name="{ingress}"/>\n  <egress-zone name="{egress}"/>\n'
            f"{rules}</policy>\n")


def _rule(port: Port) -> str:
    """By the address that peers send to, because a policy knows no interfaces."""
    match = f'<port port="{port.port}" protocol="{port.protocol}"/>' if port.port else f'<protocol value="{port.protocol}"/>'
    return (f'  <rule family="ipv{version(port.address)}">\n    <destination address="{port.address}"/>\n    {match}\n    <accept/>\n  </rule>\n')


def files(openings: Openings) -> dict[str, File]:
    """The zone and the policies that make the openings. (firewalld.zone(5), firewalld.policy(5): HOST is the host itself, ANY all zones.)"""
    made = {}
    if openings.interfaces:
        made[FIREWALLD_ZONE] = _zone(openings.interfaces)
        made[FIREWALLD_POLICIES["in"]] = _policy("ANY", ZONE, "ACCEPT")
        made[FIREWALLD_POLICIES["out"]] = _policy(ZONE, "ANY", "ACCEPT")
    if openings.ports:
        made[FIREWALLD_POLICIES["tunnel"]] = _policy("ANY", "HOST", "CONTINUE", "".join(map(_rule, openings.ports)))
    return {path: File(text) for path, text in made.items()}


def read(want: Mapping[str, bool], root: Path) -> dict[str, bool]:
    """Whether the interfaces are in Sluice's zone, as firewalld runs."""
    if not is_installed(root):
        return dict.fromkeys(want, False)
    return {name: _ask(f"{_SERVICE}.zone", "getZoneOfInterface", "s", name) == ZONE for name in want}


def reload() -> None:
    """Lets a firewalld that runs read its files; connections last.

    :raises SluiceError: firewalld refuses them
    """
    if _ask(_SERVICE, "getDefaultZone") is None:
        return
    result = subprocess.run(["firewall-cmd", "--reload"], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    if result.returncode:
        raise SluiceError(f"`firewall-cmd --reload` failed: {result.stderr.strip() or result.stdout.strip()}; see `journalctl -u firewalld`")
