# SPDX-License-Identifier: Apache-2.0
"""What encryption adds to a packet on the transport, to the byte."""
from __future__ import annotations

from typing import NamedTuple

SPI_AND_SEQUENCE = 8
"""RFC 4303 sections 2.1 and 2.2."""
TRAILER = 2
"""Pad length and next header (RFC 4303 sections 2.5 and 2.6)."""
ALIGNMENT = 4
"""The trailer ends at a multiple of this many bytes (RFC 4303 section 2.4), or of the cipher's block."""
UDP_ENCAPSULATION = 8
"""RFC 3948 section 2.1: a UDP header and nothing else."""

WIREGUARD_OVERHEAD = 8 + 4 + 4 + 8 + 16
"""UDP; type, receiver and counter of a transport data message; Poly1305's tag (WireGuard: Next Generation Kernel Network Tunnel,
section 5.4.6). It pads the packet to 16 bytes, but never beyond its device's MTU."""


class Cipher(NamedTuple):
    """One that IKE and ESP may use."""

    strongswan: str
    """What encrypts and authenticates ESP, in strongSwan's words (ipsec.conf(5), esp)."""
    ike: str
    """The same of IKE, with its pseudo-random function."""
    iv: int
    icv: int
    block: int
    """Bytes; of a cipher that needs none, the alignment."""
    packages: bool = False
    """Whether strongSwan has it in its extra plugins alone."""


CIPHERS = {
    # RFC 4106 section 3.1 (IV) and 6 (ICV).
    "aes256gcm16": Cipher("aes256gcm16", "aes256gcm16-prfsha256", 8, 16, ALIGNMENT),
    "aes128gcm16": Cipher("aes128gcm16", "aes128gcm16-prfsha256", 8, 16, ALIGNMENT),
    # RFC 3602 sections 2.4 and 3 (block and IV), RFC 4868 section 2.1.1 (ICV).
    "aes256-sha256": Cipher("aes256-sha256", "aes256-sha256", 16, 16, 16),
    "aes128-sha256": Cipher("aes128-sha256", "aes128-sha256", 16, 16, 16),
    # RFC 7634 sections 2 and 3.
    "chacha20poly1305": Cipher("chacha20poly1305", "chacha20poly1305-prfsha256", 8, 16, ALIGNMENT, packages=True),
}
GROUPS = ("ecp256", "ecp384", "modp2048", "modp3072", "modp4096")
"""RFC 5903 section 3, RFC 3526; names of ipsec.conf(5)."""


def esp_length(payload: int, cipher: Cipher, udp: bool) -> int:
    """Bytes that ``payload`` bytes after an IP header become in ESP's transport mode (RFC 4303 section 2)."""
    padded = -(-(payload + TRAILER) // cipher.block) * cipher.block
    return (UDP_ENCAPSULATION if udp else 0) + SPI_AND_SEQUENCE + cipher.iv + padded + cipher.icv


def esp_payload(room: int, cipher: Cipher, udp: bool) -> int:
    """The most bytes after an IP header that fit into ``room`` bytes after one, once they are in ESP; the inverse of `esp_length`."""
    left = room - (UDP_ENCAPSULATION if udp else 0) - SPI_AND_SEQUENCE - cipher.iv - cipher.icv
    return left // cipher.block * cipher.block - TRAILER
