# SPDX-License-Identifier: Apache-2.0
"""Meters as bytes: what a METER_MOD carries, and METER_DESC replies (OpenFlow 1.5.1 §7.3.4.5)."""
from __future__ import annotations

import struct

BURST = 4

# A meter without its id: flags, and the bytes of its bands.
Meter = tuple[int, bytes]


def encode_meter_mod(command: int, identifier: int, meter: Meter) -> bytes:
    """The body of a METER_MOD message."""
    flags, bands = meter
    return struct.pack("!HHI", command, flags, identifier) + bands


def decode_meter_descs(replies: bytes) -> dict[int, Meter]:
    """The meters in the bodies of METER_DESC replies, by id."""
    meters = {}
    position = 0
    while position + 8 <= len(replies):
        length, flags, identifier = struct.unpack_from("!HHI", replies, position)
        bands = replies[position + 8:position + length]
        meters[identifier] = (flags, bands if flags & BURST else _without_burst(bands))
        position += max(length, 8)
    return meters


def encode_meter_desc(identifier: int, meter: Meter) -> bytes:
    """The meter as a METER_DESC reply has it; the inverse of `decode_meter_descs`."""
    flags, bands = meter
    return struct.pack("!HHI", 8 + len(bands), flags, identifier) + bands


def _without_burst(bands: bytes) -> bytes:
    """The datapath fills in a burst size of its own where none was asked for, which is no difference in configuration."""
    return b"".join(bands[start:start + 8] + bytes(4) + bands[start + 12:start + 16] for start in range(0, len(bands), 16))
