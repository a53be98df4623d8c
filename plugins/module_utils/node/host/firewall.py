# SPDX-License-Identifier: Apache-2.0
"""Openings in the firewalls of others. Packets have to pass every one of them: what one accepts another may drop.

A statement, ``ufw allow in on sluice-gw0`` or ``firewalld sluice-gw0``, is what one manager is told, or has in effect.
"""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Collection, Mapping

from . import firewalld, ufw
from .model import FIREWALLD_FILES, File, Host, Openings

_MANAGERS = {"ufw": ufw, "firewalld": firewalld}


def active(root: Path) -> frozenset[str]:
    """The managers that filter packets now; a look at two files, where there is none."""
    return frozenset(name for name, manager in _MANAGERS.items() if manager.is_active(root))


def _of(manager: str, statements: Mapping[str, bool]) -> dict[str, bool]:
    return {text.partition(" ")[2]: value for text, value in statements.items() if text.partition(" ")[0] == manager}


def _named(manager: str, found: Mapping[str, bool]) -> dict[str, bool]:
    return {f"{manager} {text}": value for text, value in found.items()}


def with_openings(want: Host, managers: Collection[str], root: Path, known: Host) -> Host:
    """``want`` with what its openings are to the active ``managers``, and to those that have got openings before (``known``):
    a firewall that was switched off for a while does not lose them."""
    openings = want.openings or Openings()
    statements: dict[str, bool] = {}
    files: dict[str, File] = {}
    if "ufw" in managers or (ufw.is_installed(root) and _of("ufw", known.firewall)):
        statements.update(_named("ufw", dict.fromkeys(ufw.rules(openings), True)))
    if "firewalld" in managers:
        statements.update(_named("firewalld", dict.fromkeys(openings.interfaces, True)))
    if "firewalld" in managers or (firewalld.is_installed(root) and FIREWALLD_FILES & set(known.files)):
        files.update(firewalld.files(openings))
    return replace(want, firewall=statements, files={**want.files, **files})


def without_openings(want: Host, root: Path) -> Host:
    """``want`` with everything gone that may be there, where nothing is known of what was made."""
    rules = ufw.rules(want.openings or Openings()) if ufw.is_installed(root) else []
    return replace(want, firewall=_named("ufw", dict.fromkeys(rules, False)), files={**want.files, **dict.fromkeys(FIREWALLD_FILES, None)})


def read(want: Mapping[str, bool], root: Path) -> dict[str, bool]:
    """Whether the statements are so."""
    return {**_named("ufw", ufw.read(_of("ufw", want), root)), **_named("firewalld", firewalld.read(_of("firewalld", want), root))}


def change(statements: Mapping[str, bool], changed_files: Collection[str]) -> None:
    """Makes the statements so, and lets firewalld read files of Sluice's that have changed.

    :raises SluiceError: a manager refuses
    """
    ufw.change(_of("ufw", statements))
    if _of("firewalld", statements) or FIREWALLD_FILES & set(changed_files):
        firewalld.reload()


def recorded(statements: Mapping[str, bool]) -> dict[str, bool]:
    """Those that have to be taken back: what firewalld has in effect follows from its files."""
    return {text: value for text, value in statements.items() if text.partition(" ")[0] != "firewalld"}


def action(statement: str, wanted: bool) -> str:
    """What is done, for people."""
    manager, _separator, text = statement.partition(" ")
    if manager == "ufw":
        return " ".join(ufw.command(text, wanted))
    return f"firewall-cmd --reload: {text} in zone {firewalld.ZONE}"
