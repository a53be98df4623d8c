# SPDX-License-Identifier: Apache-2.0
"""What may not be shown of a switch: a tunnel's pre-shared key (ovs-vswitchd.conf.db(5), Interface options:psk). Pure."""
from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Set, cast

from ...errors import InputError, Problem

HIDDEN = "********"
"""Stands for a secret in everything that is shown; given as a value it means the one that is there."""
SECRET_OPTIONS = ("psk",)
"""Keys of an interface's options."""


def hidden(table: str, column: str, value: Any) -> Any:
    """A column's value as it may be shown."""
    if table != "Interface" or column != "options" or not isinstance(value, dict):
        return value
    return {key: HIDDEN if key in SECRET_OPTIONS else item for key, item in value.items()}


def with_secrets(config: Mapping[str, Any], secrets: Mapping[str, Mapping[str, str]]) -> Mapping[str, Any]:
    """``config`` with options of interfaces, by interface, put into it. Raises InputError for an interface that it does not name.

    They are given apart so that a config can be kept, reviewed and shown.
    """
    if not secrets:
        return config
    found: Set[str] = set()
    filled = _each(config, "bridges", lambda bridge: _each(bridge, "ports", lambda port: _each(
        port, "interfaces", lambda interface: _interface(interface, secrets, found))))
    missing = sorted(set(secrets) - found)
    if missing:
        raise InputError([Problem("", "", f"secrets.{name}", "is no interface that config names under `interfaces`", "one that it does") for name in missing])
    return cast(Mapping[str, Any], filled)


def _each(item: Any, key: str, change: Callable[[Any], Any]) -> Any:
    """A map with each item of the list under ``key`` changed. What is something else is left for the check of the config, which names it."""
    if not isinstance(item, dict) or not isinstance(item.get(key), list):
        return item
    return {**item, key: [change(below) for below in item[key]]}


def _interface(interface: Any, secrets: Mapping[str, Mapping[str, str]], found: Set[str]) -> Any:
    name = interface.get("name") if isinstance(interface, dict) else None
    if not isinstance(name, str) or name not in secrets:
        return interface
    found.add(name)
    options: Dict[str, Any] = {**(interface.get("options") or {}), **secrets[name]}
    return {**interface, "options": options}
