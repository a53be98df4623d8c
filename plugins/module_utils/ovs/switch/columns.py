# SPDX-License-Identifier: Apache-2.0
"""The OVSDB columns that are configured, with their types: ovs-vswitchd.conf.db(5), vswitch.ovsschema 8.3."""
from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any, Dict, Mapping, NamedTuple, Tuple, Union, cast

Atom = Union[str, int]
Value = Union[None, Atom, Tuple[Atom, ...], Dict[str, str]]
"""A scalar, an optional scalar, a sorted set or a map, as a column holds it."""
Values = Mapping[str, Value]
"""Column name to value."""

EMPTY: Mapping[Any, Any] = MappingProxyType({})
"""What a record's map is where none is given."""

OWNER_KEY = "sluice-owner"
"""The external_ids key that says who created a row, and so who may remove it."""

MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")


class Column(NamedTuple):
    """One column that can be configured."""

    name: str
    kind: str
    """``scalar`` (always has a value), ``optional``, ``set``, ``map`` (made exactly so) or ``shared map`` (only the keys given)."""
    atom: type = str
    choices: tuple[str, ...] = ()
    minimum: int = 0
    maximum: int | None = None
    pattern: re.Pattern[str] | None = None
    expected: str = ""
    """What a right value is, in words, where ``choices`` and the limits do not say it."""


OTHER_CONFIG = Column("other_config", "map")
EXTERNAL_IDS = Column("external_ids", "shared map")

SWITCH = (EXTERNAL_IDS, Column("other_config", "shared map"))
BRIDGE = (
    Column("datapath_type", "scalar"),
    Column("fail_mode", "optional", choices=("standalone", "secure")),
    Column("protocols", "set", choices=tuple(f"OpenFlow1{minor}" for minor in range(6))),
    OTHER_CONFIG,
    EXTERNAL_IDS,
)
PORT = (
    Column("tag", "optional", int, maximum=4095),
    Column("trunks", "set", int, maximum=4095),
    Column("vlan_mode", "optional", choices=("trunk", "access", "native-tagged", "native-untagged", "dot1q-tunnel")),
    OTHER_CONFIG,
    EXTERNAL_IDS,
)
INTERFACE = (
    Column("type", "scalar"),
    Column("options", "map"),
    Column("mac", "optional", pattern=MAC, expected="a MAC address like 0a:00:00:00:00:01"),
    Column("ofport_request", "optional", int, minimum=1, maximum=65279),
    Column("mtu_request", "optional", int, minimum=1),
    OTHER_CONFIG,
    EXTERNAL_IDS,
)
CONFIGURED = {"Open_vSwitch": SWITCH, "Bridge": BRIDGE, "Port": PORT, "Interface": INTERFACE}
KINDS = {table: {column.name: column.kind for column in columns} for table, columns in CONFIGURED.items()}

INTERFACE_STATUS = ("ofport", "link_state", "admin_state", "mac_in_use", "mtu", "error")
"""What ovs-vswitchd says of an interface."""


def from_ovsdb(value: Any) -> Any:
    """RFC 7047's <value> as Python: sets become sorted tuples, maps dicts, UUIDs their text."""
    if not isinstance(value, list):
        return value
    kind, content = value
    if kind == "uuid":
        return content
    if kind == "set":
        return tuple(sorted(_atom(item) for item in content))
    return {key: _atom(item) for key, item in content}


def _atom(value: Any) -> Any:
    return value[1] if isinstance(value, list) else value


def to_ovsdb(value: Value) -> Any:
    """The inverse of :func:`from_ovsdb` for what is not a UUID."""
    if value is None:
        return ["set", []]
    if isinstance(value, tuple):
        return ["set", list(value)]
    if isinstance(value, dict):
        return ["map", [[key, item] for key, item in value.items()]]
    return value


def column_value(column: Column, raw: Any) -> Value:
    """A column's value in one form: OVSDB writes a set of one as the bare atom, and an absent optional as the empty set."""
    value = from_ovsdb(raw)
    if column.kind == "optional":
        return None if value == () else value
    if column.kind == "set":
        return value if isinstance(value, tuple) else (value,)
    return cast(Value, value)


def empty(kind: str) -> Value:
    """What a column of this kind holds in a new row."""
    return {"scalar": "", "optional": None, "set": ()}[kind] if "map" not in kind else {}
