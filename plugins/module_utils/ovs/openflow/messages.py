# SPDX-License-Identifier: Apache-2.0
"""Flow modifications, bundles and flow descriptions as bytes (OpenFlow 1.5.1 §7.3.4.2, §7.3.9, §7.3.5.2)."""
from __future__ import annotations

import struct

from .connection import ERROR, HEADER, VERSION, Connection

FLOW_MOD, GROUP_MOD, METER_MOD, BUNDLE_CONTROL, BUNDLE_ADD = 14, 15, 29, 33, 34
ADD, DELETE_STRICT = 0, 4
#: The bits of the flags that a flow keeps.
FLAG_BITS = {"send_flow_rem": 1, "no_packet_counts": 8, "no_byte_counts": 16}
#: The longest body of a message that fits into a bundle's message.
MAX_BODY = 0xFFFF - 16 - 8
_MAX_LENGTH, _MULTIPART_HEADER = 0xFFFF, 16
# What Open vSwitch adds to a description is 52 bytes, padded.
_STATISTICS = 56
GROUP_ADD, GROUP_MODIFY, GROUP_DELETE = 0, 1, 2
METER_ADD, METER_MODIFY, METER_DELETE = 0, 1, 2
FLOW_DESC, GROUP_DESC, METER_DESC = 1, 7, 10

_OPEN, _COMMIT, _DISCARD = 0, 4, 6
_ATOMIC_ORDERED = 3
_ANY = 0xFFFFFFFF
_ALL_GROUPS = 0xFFFFFFFC
_NO_BUFFER = 0xFFFFFFFF
# A connection has but one bundle at a time.
_BUNDLE = 1
_BUNDLE_ADD_HEADER = struct.Struct("!BBHIIHH")
# After the headers of the bundle's message and of its own: cookie and its mask, table, command, both timeouts, priority, buffer,
# out port, out group, flags with importance.
_ADD_FLOW_MOD = struct.Struct("!BBHIIHHBBHIQQBBIHIIII")
# table, priority, timeouts with flags and importance, cookie
_DESC_START = struct.Struct("!BxH8s8s")
_DESC_NUMBERS = struct.Struct("!BxHIIQ")
_OXM_MATCH = 1
_MATCH_HEADER = struct.Struct("!HH")
# Of a description as it comes: its length and the match's.
_DESC_LENGTHS = struct.Struct("!H24xH")
# Of statistics: their length.
_LENGTH = struct.Struct("!2xH")
_PADDING = tuple(bytes(-length % 8) for length in range(8))


def flow_desc(table: int, priority: int, times: bytes, cookie: bytes, oxm: bytes, instructions: bytes) -> bytes:
    """A flow as the bytes in which it is compared: what the switch says of it in a flow description, without length and statistics.

    ``times``: idle and hard timeout, flags and importance, of 2 bytes each.
    """
    return _DESC_START.pack(table, priority, times, cookie) + match_bytes(oxm) + instructions


def match_bytes(oxm: bytes) -> bytes:
    """OXM fields as a match: with its header and padding."""
    length = 4 + len(oxm)
    return _MATCH_HEADER.pack(_OXM_MATCH, length) + oxm + _PADDING[length % 8]


def flow_key(desc: bytes) -> bytes:
    """What says which flow it is: table, priority and match."""
    return desc[:4] + desc[20:20 + (desc[22] << 8 | desc[23])]


def flow_parts(desc: bytes) -> tuple[int, int, bytes, bytes, bytes, bytes]:
    """What `flow_desc` was given."""
    length = desc[22] << 8 | desc[23]
    return (*_DESC_START.unpack_from(desc), desc[24:20 + length], desc[20 + (length + 7 & ~7):])


def is_too_long(desc: bytes) -> bool:
    """Whether no message can carry the flow. The one in which the switch describes it is the longest: it has statistics, too."""
    return len(desc) > _MAX_LENGTH - _MULTIPART_HEADER - 4 - _STATISTICS


def add_flow(desc: bytes, xid: int) -> bytes:
    """The message that adds a flow, or replaces the one with its key, in the bundle."""
    return _flow_mod(ADD, desc, xid, desc[20:])


def delete_flow(desc: bytes, xid: int) -> bytes:
    """The message that removes the flow with this key in the bundle."""
    return _flow_mod(DELETE_STRICT, desc, xid, desc[20:20 + ((desc[22] << 8 | desc[23]) + 7 & ~7)])


def _flow_mod(command: int, desc: bytes, xid: int, match_and_instructions: bytes) -> bytes:
    table, priority, timeouts, flags_and_importance, cookie = _DESC_NUMBERS.unpack_from(desc)
    length = 48 + len(match_and_instructions)
    return _ADD_FLOW_MOD.pack(
        VERSION, BUNDLE_ADD, 16 + length, xid, _BUNDLE, 0, _ATOMIC_ORDERED, VERSION, FLOW_MOD, length, xid, cookie, 0, table, command,
        timeouts, priority, _NO_BUFFER, _ANY, _ANY, flags_and_importance) + match_and_instructions


def bundle_message(kind: int, body: bytes, xid: int) -> bytes:
    """Any message as one of the bundle."""
    length = 8 + len(body)
    return _BUNDLE_ADD_HEADER.pack(VERSION, BUNDLE_ADD, 16 + length, xid, _BUNDLE, 0, _ATOMIC_ORDERED) + HEADER.pack(VERSION, kind, length, xid) + body


def read_flows(connection: Connection, cookie: int = 0, cookie_mask: int = 0) -> dict[bytes, None]:
    """The set of flows whose cookie is ``cookie`` under the mask, as `flow_desc` gives them. Raises SluiceError if the switch fails."""
    replies = _request_flows(connection, cookie, cookie_mask)
    lengths, statistics_length = _DESC_LENGTHS.unpack_from, _LENGTH.unpack_from
    flows = []
    position, end = 0, len(replies)
    while position < end:
        length, match_length = lengths(replies, position)
        statistics = position + 24 + (match_length + 7 & ~7)
        instructions = statistics + (statistics_length(replies, statistics)[0] + 7 & ~7)
        length += position
        flows.append(replies[position + 4:statistics] + replies[instructions:length])
        position = length
    return dict.fromkeys(flows)


def read_flow_statistics(connection: Connection, cookie: int = 0, cookie_mask: int = 0) -> dict[bytes, tuple[int, int]]:
    """The numbers of packets and bytes of each flow that `read_flows` gives."""
    replies = _request_flows(connection, cookie, cookie_mask)
    flows = {}
    position = 0
    while position < len(replies):
        length, match_length = _DESC_LENGTHS.unpack_from(replies, position)
        statistics = position + 24 + (match_length + 7 & ~7)
        end = statistics + _LENGTH.unpack_from(replies, statistics)[0]
        flows[replies[position + 4:statistics] + replies[end + 7 & ~7:position + length]] = _counters(replies[statistics + 4:end])
        position += length
    return flows


def read_group_descs(connection: Connection) -> bytes:
    """The descriptions of all groups."""
    return connection.multipart(GROUP_DESC, struct.pack("!I4x", _ALL_GROUPS))


def read_meter_descs(connection: Connection) -> bytes:
    """The descriptions of all meters."""
    return connection.multipart(METER_DESC, struct.pack("!I4x", _ANY))


def commit(connection: Connection, messages: bytes) -> list[tuple[int, bytes]]:
    """Open the bundle, add ``messages`` (as `add_flow`, `delete_flow` and `bundle_message` give them), and commit it: the switch makes
    all the changes at once, in order, or none. What it refused: the message's xid (or one of the bundle's own) and its error.

    Nothing was changed if there is any error. Raises SluiceError if the switch goes away.
    """
    errors = _errors(connection, _control(connection, _OPEN) + messages)
    if errors:
        connection.exchange(_control(connection, _DISCARD))
        return errors
    return _errors(connection, _control(connection, _COMMIT))


def _errors(connection: Connection, messages: bytes) -> list[tuple[int, bytes]]:
    return [(xid, body) for kind, xid, body in connection.exchange(messages) if kind == ERROR]


def _control(connection: Connection, kind: int) -> bytes:
    return HEADER.pack(VERSION, BUNDLE_CONTROL, 16, connection.next_xid()) + struct.pack("!IHH", _BUNDLE, kind, _ATOMIC_ORDERED)


def _request_flows(connection: Connection, cookie: int, cookie_mask: int) -> bytes:
    # Every table, any output port and group, any match.
    return connection.multipart(FLOW_DESC, struct.pack("!B3xII4xQQHH4x", 0xFF, _ANY, _ANY, cookie, cookie_mask, 1, 4))


def _counters(statistics: bytes) -> tuple[int, int]:
    """Packets and bytes (OXS fields 4 and 5 of the basic class)."""
    counters = {}
    position = 0
    while position + 4 <= len(statistics):
        field, length = statistics[position + 2] >> 1, statistics[position + 3]
        counters[field] = int.from_bytes(statistics[position + 4:position + 4 + length], "big")
        position += 4 + length
    return counters.get(4, 0), counters.get(5, 0)
