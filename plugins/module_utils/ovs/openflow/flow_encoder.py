# SPDX-License-Identifier: Apache-2.0
"""Flows, as values or as lines, to the bytes in which they are compared and sent."""
from __future__ import annotations

import struct
from typing import Callable, Dict, Mapping

from ...errors import SluiceError
from ..flow import Flow, parse_flow, split_tokens
from .actions import ActionEncoder
from .match import MatchEncoder
from .messages import FLAG_BITS, flow_desc, is_too_long, match_bytes
from .values import parse_number

_NO_TIMES = bytes(8)


class FlowEncoder:
    """Encodes flows; ``tables`` gives the number of a table's name."""

    def __init__(self, tables: Mapping[str, int]) -> None:
        self.actions = ActionEncoder(tables)
        self._match = MatchEncoder()
        self._cookies = _Known("cookie=", lambda text: parse_number(text, 64).to_bytes(8, "big"))
        self._tables = _Known(" table=", lambda text: bytes((self.actions.table(text), 0)))
        self._priorities = _Known(" priority=", lambda text: parse_number(text, 16).to_bytes(2, "big"))
        self._instructions = _Known("", lambda text: self.actions.encode(split_tokens(text)))

    def flow(self, flow: Flow) -> bytes:
        """The description (`flow_desc`) of a flow. Raises SluiceError, which names what is wrong with it."""
        table, priority, match, tokens, cookie, idle, hard, importance, flags = flow
        bits = sum(FLAG_BITS[flag] for flag in flags) if flags else 0
        return _checked(flow_desc(self.actions.table(table), priority, struct.pack("!HHHH", idle, hard, bits, importance),
                                  cookie.to_bytes(8, "big"), self._match.encode(match), self.actions.encode(tokens)))

    def line(self, line: str) -> bytes:
        """The description of a flow's line. Raises SluiceError, which names what is wrong with it.

        Ten thousand lines just as `render_flow` writes them are what is read every day, so their parts are looked up as they stand;
        all other lines, and whatever is wrong, go the long way by the flow as a value, which gives the same.
        """
        head, _separator, actions = line.partition(" actions=")
        if head.count(" ") == 2 and actions:
            cookie, table, *conditions = head.split(",")
            try:
                return _checked(self._tables[table] + self._priorities[conditions[0]] + _NO_TIMES + self._cookies[cookie]
                                + match_bytes(self._match.encode(conditions[1:])) + self._instructions[actions])
            except (IndexError, SluiceError):
                pass
        return self.flow(parse_flow(line))


def _checked(desc: bytes) -> bytes:
    if is_too_long(desc):
        raise SluiceError("the flow does not fit into an OpenFlow message, which has at most 65535 bytes; give it fewer actions")
    return desc


class _Known(Dict[str, bytes]):
    """The bytes of every text with one prefix that was met; a new one is encoded when it is first looked up."""

    def __init__(self, prefix: str, encode: Callable[[str], bytes]) -> None:
        super().__init__()
        self._prefix = prefix
        self._encode = encode

    def __missing__(self, text: str) -> bytes:
        if not text.startswith(self._prefix):
            raise SluiceError(f"'{text}' does not begin with '{self._prefix}'")
        encoded = self[text] = self._encode(text[len(self._prefix):])
        return encoded
