# SPDX-License-Identifier: Apache-2.0
"""One OpenFlow flow as a value, and its text: the syntax of ovs-ofctl (ovs-actions(7), ovs-fields(7))."""
from __future__ import annotations

import re
from typing import Iterable, NamedTuple

from ..errors import InputError, Problem, SluiceError

DEFAULT_PRIORITY = 0x8000

#: Flags that a flow keeps, in the order in which Open vSwitch prints them (others concern only the message that adds it).
FLAGS = ("send_flow_rem", "no_packet_counts", "no_byte_counts")

# What dump-flows prints about a flow's life; not part of the flow, so that a dump can be given as input.
_STATISTICS = frozenset(("duration", "n_packets", "n_bytes", "idle_age", "hard_age"))
_UNSIGNED = {"cookie": 64, "priority": 16, "idle_timeout": 16, "hard_timeout": 16, "importance": 16}
_STRUCTURE = re.compile(r"[(), \t\r\n]")
_NEEDLESS_SPACE = re.compile(r"(?<=[(,])\s+|\s+(?=[,)])")


class Flow(NamedTuple):
    """A flow; ``match`` and ``actions`` are tokens such as ``in_port=5`` and ``goto_table:route``.

    ``table`` is a table's name or its decimal number. No actions, or the one token ``drop``, drop the packet.
    Timeouts are in seconds, 0 is never.
    """

    table: str
    priority: int
    match: tuple[str, ...]
    actions: tuple[str, ...]
    cookie: int = 0
    idle_timeout: int = 0
    hard_timeout: int = 0
    importance: int = 0
    flags: tuple[str, ...] = ()

    def __str__(self) -> str:
        return render_flow(self)


def render_flow(flow: Flow) -> str:
    """The flow as one line, in the order of ``ovs-ofctl dump-flows --no-stats``; the priority is always written."""
    table, priority, match, actions, cookie, idle, hard, importance, flags = flow
    extra = ""
    if idle or hard or importance or flags:
        extra = "".join(
            [f"idle_timeout={idle}, " if idle else "", f"hard_timeout={hard}, " if hard else "",
             *(f"{flag} " for flag in flags), f"importance={importance}, " if importance else ""])
    fields = "," + ",".join(match) if match else ""
    return f"cookie={cookie:#x}, table={table}, {extra}priority={priority}{fields} actions={','.join(actions) or 'drop'}"


def parse_flow(line: str) -> Flow:
    """The flow that ``line`` describes; the inverse of `render_flow`, tolerant of order and white space.

    Statistics, as dump-flows prints them, are skipped. Raises SluiceError, which names what could not be read.
    Tokens are only separated here, their meaning is checked when the flow is encoded.
    """
    head, found, tail = line.partition("actions=")
    if not found:
        head, found, tail = line.partition("action=")
    if not found:
        raise SluiceError("the flow has no 'actions='; write 'actions=drop' to drop the packets")
    numbers = {"cookie": 0, "priority": DEFAULT_PRIORITY}
    table = "0"
    match: list[str] = []
    flags: list[str] = []
    for token in split_tokens(head):
        key, _separator, value = token.partition("=")
        if key in _UNSIGNED:
            numbers[key] = _unsigned(key, value)
        elif key == "table":
            table = value
        elif token in FLAGS:
            flags.append(token)
        elif key not in _STATISTICS:
            match.append(token)
    if not table:
        raise SluiceError("'table=' has no value; expected a table's name or number")
    actions = split_tokens(tail)
    if not actions:
        raise SluiceError("nothing follows 'actions='; write 'actions=drop' to drop the packets")
    if len(numbers) == 2 and not flags:
        return Flow(table, numbers["priority"], tuple(match), actions, numbers["cookie"])
    return Flow(table, numbers["priority"], tuple(match), actions, numbers["cookie"], numbers.get("idle_timeout", 0),
                numbers.get("hard_timeout", 0), numbers.get("importance", 0), tuple(flag for flag in FLAGS if flag in flags))


def parse_flows(text: str | Iterable[str], source: str = "flows") -> list[Flow]:
    """The flows of a text or of lines, in their order; blank lines and what follows a ``#`` at a line's start are skipped.

    Raises InputError with every line that could not be read; ``source`` says there where the lines come from.
    """
    flows = []
    problems = []
    for number, line in enumerate(text.splitlines() if isinstance(text, str) else text, 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        try:
            flows.append(parse_flow(stripped))
        except SluiceError as error:
            problems.append(Problem(source, f"line {number}", stripped, str(error)))
    if problems:
        raise InputError(problems)
    return flows


def split_tokens(text: str) -> tuple[str, ...]:
    """The tokens of a match or an action list: separated by commas or white space, except within parentheses.

    White space within parentheses is normalised to commas. Raises SluiceError if parentheses do not pair.
    """
    if "(" not in text and ")" not in text:
        return tuple(text.replace(",", " ").split())
    tokens = []
    depth = 0
    start = 0
    for found in _STRUCTURE.finditer(text):
        character = found[0]
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth < 0:
                raise SluiceError(f"a ')' without its '(' in '{text.strip()}'")
        elif not depth:
            position = found.start()
            if start < position:
                tokens.append(text[start:position])
            start = position + 1
    if depth:
        raise SluiceError(f"a '(' without its ')' in '{text.strip()}'")
    if start < len(text):
        tokens.append(text[start:])
    return tuple([_normalise(token) if "(" in token and len(token.split(None, 1)) > 1 else token for token in tokens])


def _normalise(token: str) -> str:
    return ",".join(_NEEDLESS_SPACE.sub("", token).split())


def _unsigned(key: str, value: str) -> int:
    bits = _UNSIGNED[key]
    try:
        # int() alone would take signs, spaces, underscores and other scripts' digits as well.
        number = int(value, 0) if value.isalnum() and value.isascii() else -1
    except ValueError:
        number = -1
    if not 0 <= number < 1 << bits:
        raise SluiceError(f"'{key}={value}' is not an unsigned number of {bits} bits")
    return number
