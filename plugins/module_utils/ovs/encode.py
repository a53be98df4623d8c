# SPDX-License-Identifier: Apache-2.0
"""Programs from their text: what flows, groups and meters are as the bytes in which they are compared."""
from __future__ import annotations

import gc
from typing import Callable, Iterable, Mapping, NamedTuple, Optional, TypeVar

from ..errors import InputError, Problem, SluiceError
from .flow import Flow
from .openflow.flow_encoder import FlowEncoder
from .openflow.groups import Group
from .openflow.groups_text import parse_group
from .openflow.messages import flow_key
from .openflow.meters_text import parse_meter
from .program import Owner, Program

_T = TypeVar("_T")


class Known(NamedTuple):
    """Lines that were encoded before with the same tables and owner: their flows, and their groups with the ids."""

    flows: Mapping[str, bytes]
    groups: Mapping[str, tuple[int, Group]]


NOTHING_KNOWN = Known({}, {})


def encode_program(flows: Iterable[str | Flow], groups: Optional[Iterable[str]], meters: Optional[Iterable[str]],
                   tables: Mapping[int, str], owner: Owner = Owner(), known: Known = NOTHING_KNOWN) -> Program:  # noqa: B008 - immutable
    """The program that lines (or flows) describe; lines that are ``known`` are taken from there. Lines without an entry are skipped.

    Raises InputError with everything that is wrong: what cannot be read, a flow, group or meter given twice, a flow with a cookie
    that is not the owner's.
    """
    encoder = FlowEncoder({name: number for number, name in tables.items()})
    problems: list[Problem] = []
    # Ten thousand flows are a hundred thousand objects, none in a cycle: looking for cycles would take a fifth of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        encoded = _encode_flows(flows, encoder, owner, known.flows, problems)
        parsed_groups = None if groups is None else _parse_all(
            "groups", groups, lambda text: parse_group(text, encoder.actions), known.groups, problems)
        parsed_meters = None if meters is None else _parse_all("meters", meters, parse_meter, {}, problems)
    finally:
        if collecting:
            gc.enable()
    if problems:
        raise InputError(problems)
    return Program(encoded, parsed_groups, parsed_meters)


def has_entry(line: str) -> bool:
    """Whether the line has a flow, a group or a meter: it is neither blank nor begins with ``#``."""
    text = line.lstrip()
    return bool(text) and text[0] != "#"


def _encode_flows(flows: Iterable[str | Flow], encoder: FlowEncoder, owner: Owner, known: Mapping[str, bytes],
                  problems: list[Problem]) -> dict[bytes, None]:
    encoded: dict[bytes, None] = {}
    keys: set[bytes] = set()
    owner_value, owner_mask = owner.value, owner.mask
    for number, given in enumerate(flows, 1):
        try:
            if isinstance(given, str):
                if given in known:
                    desc = known[given]
                elif has_entry(given):
                    desc = encoder.line(given.strip())
                else:
                    continue
            else:
                desc = encoder.flow(given)
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


def _parse_all(what: str, lines: Iterable[str], parse: Callable[[str], tuple[int, _T]], known: Mapping[str, tuple[int, _T]],
               problems: list[Problem]) -> dict[int, _T]:
    parsed: dict[int, _T] = {}
    for number, line in enumerate(lines, 1):
        if not has_entry(line):
            continue
        try:
            identifier, item = known.get(line) or parse(line.strip())
            if identifier in parsed:
                raise SluiceError(f"the id {identifier} is given twice")
            parsed[identifier] = item
        except SluiceError as error:
            problems.append(Problem(what, f"line {number}", line.strip(), str(error)))
    return parsed
