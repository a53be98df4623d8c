# SPDX-License-Identifier: Apache-2.0
"""Groups as bytes: what a GROUP_MOD carries, and GROUP_DESC replies (OpenFlow 1.5.1 §7.3.4.3, §7.3.5.10)."""
from __future__ import annotations

import struct

_ALL_BUCKETS = 0xFFFFFFFF
GROUP_MOD_HEADER = 16
"""Bytes before the buckets in a GROUP_MOD's body."""
_DESC = struct.Struct("!HBxIH6x")

# A group without its id: type, and the bytes of its buckets and properties, which is all that two groups can differ in.
Group = tuple[int, bytes, bytes]


def encode_group_mod(command: int, identifier: int, group: Group) -> bytes:
    """The body of a GROUP_MOD message."""
    kind, buckets, properties = group
    return struct.pack("!HBxIH2xI", command, kind, identifier, len(buckets), _ALL_BUCKETS) + buckets + properties


def decode_group_descs(replies: bytes) -> dict[int, Group]:
    """The groups in the bodies of GROUP_DESC replies, by id."""
    groups = {}
    position = 0
    while position + 16 <= len(replies):
        length, kind, identifier, buckets_length = _DESC.unpack_from(replies, position)
        start = position + 16
        end = start + buckets_length
        groups[identifier] = (kind, replies[start:end], replies[end:position + length])
        position += length
    return groups


def encode_group_desc(identifier: int, group: Group) -> bytes:
    """The group as a GROUP_DESC reply has it; the inverse of `decode_group_descs`."""
    kind, buckets, properties = group
    return _DESC.pack(16 + len(buckets) + len(properties), kind, identifier, len(buckets)) + buckets + properties
