# SPDX-License-Identifier: Apache-2.0
"""SCTP's first packets."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from conformance.sctp import ABORT, INIT, INIT_ACK, Packet, crc32c, decode, encode


def test_the_checksum_is_that_of_the_rfc() -> None:
    """The check value of CRC-32C, as in RFC 3720 appendix B.4: 32 bytes of zeros give 0x8A9136AA."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize("packet", [
    Packet(40000, 80, 0, INIT, 7), Packet(80, 40000, 7, INIT_ACK, 9, b"x/b 10.0.0.2"), Packet(80, 40000, 7, ABORT)])
def test_there_and_back(packet: Packet) -> None:
    assert decode(encode(packet)) == packet


def test_what_is_damaged_or_short_is_nothing() -> None:
    data = encode(Packet(40000, 80, 0, INIT, 7))
    assert decode(data[:-1] + b"\2") is None
    assert decode(data[:10]) is None
