# SPDX-License-Identifier: Apache-2.0
"""Where a release's packages come from, and what they have to be signed with."""
from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from sluice.lab.source import DEBIAN, UBUNTU, Source, distribution_of


def test_lines() -> None:
    assert Source("trixie", "http://mirror/debian", "http://security/debian").lines(Path("/key.gpg")) == [
        "deb [signed-by=/key.gpg check-valid-until=no] http://mirror/debian trixie main",
        "deb [signed-by=/key.gpg check-valid-until=no] http://mirror/debian trixie-updates main",
        "deb [signed-by=/key.gpg check-valid-until=no] http://security/debian trixie-security main"]
    assert Source("noble", "http://mirror/ubuntu", "http://mirror/ubuntu").lines(Path("/key.asc"))[2] == (
        "deb [signed-by=/key.asc check-valid-until=no] http://mirror/ubuntu noble-security main universe")


def test_a_key_that_no_package_has_is_a_file_while_it_is_wanted() -> None:
    with Source("bookworm", "", "").keyring() as keyring:
        assert str(keyring) == DEBIAN.key
    with Source("noble", "", "").keyring() as keyring:
        assert keyring.read_text() == UBUNTU.key and keyring.suffix == ".asc"
    assert not keyring.exists()


def test_ubuntu_s_key_is_the_one_that_is_said() -> None:
    """The fingerprint of a key (RFC 4880 section 12.2): of its packet, which is the first, with the octet 0x99 and its length in two before."""
    armored = distribution_of("noble").key.split("\n\n", 1)[1].split("\n=", 1)[0]
    packets = base64.b64decode(armored)
    # An old packet of type 6 with a length of two octets (section 4.2.1).
    assert packets[0] == 0x99
    packet = packets[:3 + int.from_bytes(packets[1:3], "big")]
    assert hashlib.sha1(packet).hexdigest().upper() == "F6ECB3762474EDA9D21B7022871920D1991BC93C"
