# SPDX-License-Identifier: Apache-2.0
"""What a bridge has or is to have in flows, groups and meters, as the bytes in which two of them are compared."""
from __future__ import annotations

from ..sluice_error import SluiceError

TYPE_CHECKING = False  # to import typing takes as long as much else that is done here
if TYPE_CHECKING:
    from typing import Mapping, Optional

    from .openflow.groups import Group
    from .openflow.meters import Meter


class Owner:
    """Whose flows they are: those with ``cookie & mask == value``. The default owns everything."""

    def __init__(self, value: int = 0, mask: int = 0) -> None:
        self.value = value
        self.mask = mask

    def owns(self, cookie: int) -> bool:
        """Whether a flow with this cookie is the owner's."""
        return cookie & self.mask == self.value

    def __str__(self) -> str:
        return f"{self.value:#x}/{self.mask:#x}"


class Program:
    """Flows (an ordered set of what `flow_desc` gives), and groups and meters by id; None for those that are not managed.

    ``messages``, where they are known, add all the flows in a bundle, numbered from 1 in their order.
    """

    def __init__(self, flows: dict[bytes, None], groups: Optional[dict[int, Group]] = None, meters: Optional[dict[int, Meter]] = None,
                 messages: bytes | memoryview = b"") -> None:
        self.flows = flows
        self.groups = groups
        self.meters = meters
        self.messages = messages


def parse_owner(text: str) -> Owner:
    """``value/mask`` or a value (then every bit counts). Raises SluiceError if it is neither."""
    value_text, slash, mask_text = text.partition("/")
    try:
        value, mask = int(value_text, 0), int(mask_text, 0) if slash else (1 << 64) - 1
    except ValueError:
        value = mask = -1
    if not (0 <= value < 1 << 64 and 0 <= mask < 1 << 64):
        raise SluiceError(f"cookie: '{text}' is not a cookie; expected a form like 0x51c3000000000000/0xffff000000000000")
    if value & ~mask:
        raise SluiceError(f"cookie: '{text}' has bits set outside its mask, so no flow could have it")
    return Owner(value, mask)


def as_lines(name: str, given: object) -> Optional[list[str]]:
    """The lines of an option that takes one text or a list of lines; None without it. Raises SluiceError for anything else."""
    if given is None:
        return None
    if isinstance(given, str):
        return given.splitlines()
    if not isinstance(given, (list, tuple)) or not all(isinstance(line, str) for line in given):
        raise SluiceError(f"{name}: expected a text with one entry a line, or a list of such lines")
    return list(given)


def parse_tables(tables: Mapping[object, object]) -> dict[int, str]:
    """The names of tables by number, from a mapping whose keys may be text (as JSON has them).

    Raises SluiceError if it is no such mapping.
    """
    names: dict[int, str] = {}
    for key, name in tables.items():
        text = str(key)
        if not text.isdecimal() or int(text) > 254:
            raise SluiceError(f"tables: '{text}' is not the number of a table; expected 0 to 254")
        if not isinstance(name, str) or not name or name.isdecimal() or any(character in name for character in ", \t()=/"):
            raise SluiceError(f"tables: '{name}' cannot be the name of table {text}")
        if name in names.values():
            raise SluiceError(f"tables: the name '{name}' is given twice")
        names[int(text)] = name
    return names
