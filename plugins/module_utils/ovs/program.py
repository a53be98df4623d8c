# SPDX-License-Identifier: Apache-2.0
"""What a bridge has or is to have in flows, groups and meters, as the bytes in which two of them are compared."""
from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Callable, Iterable, Mapping, NamedTuple, Optional, TypeVar

from ..errors import InputError, Problem, SluiceError
from .openflow.groups import Group
from .openflow.messages import flow_key
from .openflow.meters import Meter

if TYPE_CHECKING:
    from .flow import Flow
    from .openflow.flow_encoder import FlowEncoder

_T = TypeVar("_T")


class Owner(NamedTuple):
    """Whose flows they are: those with ``cookie & mask == value``. The default owns everything."""

    value: int = 0
    mask: int = 0

    def owns(self, cookie: int) -> bool:
        """Whether a flow with this cookie is the owner's."""
        return cookie & self.mask == self.value

    def __str__(self) -> str:
        return f"{self.value:#x}/{self.mask:#x}"


class Program(NamedTuple):
    """Flows (an ordered set of what `flow_desc` gives), and groups and meters by id; None for those that are not managed."""

    flows: dict[bytes, None]
    groups: Optional[dict[int, Group]] = None
    meters: Optional[dict[int, Meter]] = None
    messages: bytes = b""
    """If known: the messages that add all the flows in a bundle, numbered from 1."""


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


def encode_program(flows: Iterable[str | Flow], groups: Optional[Iterable[str]], meters: Optional[Iterable[str]],
                   tables: Mapping[int, str], owner: Owner = Owner()) -> Program:  # noqa: B008 - immutable
    """The program that lines (or flows) describe. Blank lines and those that begin with ``#`` are skipped.

    Raises InputError with everything that is wrong: what cannot be read, a flow, group or meter given twice, a flow with a cookie
    that is not the owner's.
    """
    # Imported here, since a program that was encoded before needs none of it.
    from .openflow.flow_encoder import FlowEncoder
    from .openflow.groups_text import parse_group
    from .openflow.meters_text import parse_meter

    encoder = FlowEncoder({name: number for number, name in tables.items()})
    problems: list[Problem] = []
    # Ten thousand flows are a hundred thousand objects, none in a cycle: looking for cycles would take a fifth of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        encoded = _encode_flows(flows, encoder, owner, problems)
    finally:
        if collecting:
            gc.enable()
    parsed_groups = None if groups is None else _parse_all("groups", groups, lambda text: parse_group(text, encoder.actions), problems)
    parsed_meters = None if meters is None else _parse_all("meters", meters, parse_meter, problems)
    if problems:
        raise InputError(problems)
    return Program(encoded, parsed_groups, parsed_meters)


def _encode_flows(flows: Iterable[str | Flow], encoder: FlowEncoder, owner: Owner, problems: list[Problem]) -> dict[bytes, None]:
    encoded: dict[bytes, None] = {}
    keys: set[bytes] = set()
    owner_value, owner_mask = owner
    for number, given in enumerate(flows, 1):
        try:
            if not isinstance(given, str):
                desc = encoder.flow(given)
            else:
                line = given.strip()
                if not line or line[0] == "#":
                    continue
                desc = encoder.line(line)
            if owner_mask and int.from_bytes(desc[12:20], "big") & owner_mask != owner_value:
                raise SluiceError(f"the cookie 0x{desc[12:20].hex().lstrip('0') or '0'} is not one of the owner's ({owner})")
            key = flow_key(desc)
            if key in keys:
                raise SluiceError("another flow with the same table, priority and match is given before it")
            keys.add(key)
            encoded[desc] = None
        except SluiceError as error:
            problems.append(Problem("flows", f"line {number}", str(given).strip(), str(error)))
    return encoded


def _parse_all(what: str, lines: Iterable[str], parse: Callable[[str], tuple[int, _T]], problems: list[Problem]) -> dict[int, _T]:
    parsed: dict[int, _T] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            identifier, item = parse(text)
            if identifier in parsed:
                raise SluiceError(f"the id {identifier} is given twice")
            parsed[identifier] = item
        except SluiceError as error:
            problems.append(Problem(what, f"line {number}", text, str(error)))
    return parsed
