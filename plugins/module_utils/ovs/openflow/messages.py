# SPDX-License-Identifier: Apache-2.0
"""Flow modifications, bundles and flow descriptions as bytes (OpenFlow 1.5.1 §7.3.4.2, §7.3.9, §7.3.5.2)."""
from __future__ import annotations

import struct
from typing import Iterator, NamedTuple

from .connection import ERROR, HEADER, VERSION, Connection

FLOW_MOD, GROUP_MOD, METER_MOD, BUNDLE_CONTROL, BUNDLE_ADD = 14, 15, 29, 33, 34
ADD, DELETE_STRICT = 0, 4
#: The bits of the flags that a flow keeps.
FLAG_BITS = {"send_flow_rem": 1, "no_packet_counts": 8, "no_byte_counts": 16}
GROUP_ADD, GROUP_MODIFY, GROUP_DELETE = 0, 1, 2
METER_ADD, METER_MODIFY, METER_DELETE = 0, 1, 2
FLOW_DESC, GROUP_DESC, METER_DESC = 1, 7, 10

_OPEN, _COMMIT, _DISCARD = 0, 4, 6
_ATOMIC_ORDERED = 3
_ANY = 0xFFFFFFFF
_ALL_GROUPS = 0xFFFFFFFC
_NO_BUFFER = 0xFFFFFFFF
_BUNDLE_ADD_HEADER = struct.Struct("!BBHIIHH")
# cookie and its mask, table, command, timeouts, priority, buffer, out port, out group, flags, importance; the match's type and length
_FLOW_MOD = struct.Struct("!8sQBBHHHIIIHHHH")
_PADDING = tuple(bytes(-length % 8) for length in range(8))


class FlowEntry(NamedTuple):
    """A flow as bytes. ``key`` says which flow it is: table, priority, match; ``value`` is all the rest that can differ.

    key: table (1 byte), a zero, priority (2 bytes), OXM fields. value: idle and hard timeout, flags, importance (2 bytes each),
    cookie (8 bytes), instructions.
    """

    key: bytes
    value: bytes


def flow_key(table: int, priority: int, oxm: bytes) -> bytes:
    """The key of a flow."""
    return struct.pack("!BxH", table, priority) + oxm


def flow_value(idle_timeout: int, hard_timeout: int, flags: int, importance: int, cookie: int, instructions: bytes) -> bytes:
    """The value of a flow."""
    return struct.pack("!HHHHQ", idle_timeout, hard_timeout, flags, importance, cookie) + instructions


def flow_mod(command: int, entry: FlowEntry) -> bytes:
    """The body of a FLOW_MOD message."""
    key, value = entry
    idle, hard, flags, importance = struct.unpack_from("!HHHH", value)
    length = len(key)  # 4 bytes before the fields in the key, as many as the match's own header
    return _FLOW_MOD.pack(value[8:16], 0, key[0], command, idle, hard, key[2] << 8 | key[3], _NO_BUFFER, _ANY, _ANY, flags, importance,
                          1, length) + key[4:] + _PADDING[length % 8] + value[16:]


def read_flows(connection: Connection, cookie: int = 0, cookie_mask: int = 0) -> dict[bytes, bytes]:
    """The flows whose cookie is ``cookie`` under the mask: value by key. Raises SluiceError if the switch fails."""
    return {key: value for key, value, _statistics in _flow_descs(_request_flows(connection, cookie, cookie_mask))}


def read_flow_statistics(connection: Connection, cookie: int = 0, cookie_mask: int = 0) -> dict[bytes, tuple[bytes, int, int]]:
    """As `read_flows`, with the numbers of packets and bytes."""
    return {key: (value, *_counters(statistics))
            for key, value, statistics in _flow_descs(_request_flows(connection, cookie, cookie_mask))}


def read_group_descs(connection: Connection) -> bytes:
    """The descriptions of all groups."""
    return connection.multipart(GROUP_DESC, struct.pack("!I4x", _ALL_GROUPS))


def read_meter_descs(connection: Connection) -> bytes:
    """The descriptions of all meters."""
    return connection.multipart(METER_DESC, struct.pack("!I4x", _ANY))


class Bundle:
    """Changes that the switch makes all at once, in order, or not at all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._id = connection.next_xid()

    def run(self, changes: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """Commit ``changes`` (message type and body). What the switch refused: the change's index (-1: the bundle), its error message.

        Nothing was changed if there is any error. Raises SluiceError if the switch goes away.
        """
        first = self._connection.take_xids(len(changes))
        messages = [self._control(_OPEN, self._connection.next_xid())]
        xid = first
        for kind, body in changes:
            length = 8 + len(body)
            messages.append(_BUNDLE_ADD_HEADER.pack(VERSION, BUNDLE_ADD, 16 + length, xid, self._id, 0, _ATOMIC_ORDERED)
                            + HEADER.pack(VERSION, kind, length, xid) + body)
            xid += 1
        errors = self._errors(b"".join(messages), first, len(changes))
        if errors:
            self._connection.exchange(self._control(_DISCARD, self._connection.next_xid()))
            return errors
        return self._errors(self._control(_COMMIT, self._connection.next_xid()), first, len(changes))

    def _errors(self, messages: bytes, first: int, count: int) -> list[tuple[int, bytes]]:
        errors = []
        for kind, xid, body in self._connection.exchange(messages):
            if kind == ERROR:
                index = xid - first
                errors.append((index if 0 <= index < count else -1, body))
        return errors

    def _control(self, kind: int, xid: int) -> bytes:
        return HEADER.pack(VERSION, BUNDLE_CONTROL, 16, xid) + struct.pack("!IHH", self._id, kind, _ATOMIC_ORDERED)


def _request_flows(connection: Connection, cookie: int, cookie_mask: int) -> bytes:
    # Every table, any output port and group, any match.
    return connection.multipart(FLOW_DESC, struct.pack("!B3xII4xQQHH4x", 0xFF, _ANY, _ANY, cookie, cookie_mask, 1, 4))


def _flow_descs(replies: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Key, value and statistics (OXS) of each flow description."""
    unpack = struct.Struct("!H").unpack_from
    position = 0
    end = len(replies)
    while position < end:
        length, = unpack(replies, position)
        match_length, = unpack(replies, position + 26)
        statistics = position + 24 + (match_length + 7 & ~7)
        statistics_length, = unpack(replies, statistics + 2)
        instructions = statistics + (statistics_length + 7 & ~7)
        yield (replies[position + 4:position + 8] + replies[position + 28:position + 24 + match_length],
               replies[position + 8:position + 24] + replies[instructions:position + length],
               replies[statistics + 4:statistics + statistics_length])
        position += length


def _counters(statistics: bytes) -> tuple[int, int]:
    """Packets and bytes (OXS fields 4 and 5 of the basic class)."""
    counters = {}
    position = 0
    while position + 4 <= len(statistics):
        field, length = statistics[position + 2] >> 1, statistics[position + 3]
        counters[field] = int.from_bytes(statistics[position + 4:position + 4 + length], "big")
        position += 4 + length
    return counters.get(4, 0), counters.get(5, 0)
