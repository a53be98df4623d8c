# SPDX-License-Identifier: Apache-2.0
"""Why nothing can be exchanged with a peer, out of what the kernel, strongSwan and WireGuard say."""
from __future__ import annotations

from sluice.encryption.status import associations, handshake_reason, log_reasons, policies

STATE = """src 192.168.77.11 dst 192.168.77.12
\tproto esp spi 0xc0000001 reqid 1 mode transport
\tsel src 192.168.77.11/32 dst 192.168.77.12/32 proto udp dport 6081
src 192.168.77.12 dst 192.168.77.11
\tproto esp spi 0xc0000002 reqid 1 mode transport
src 192.168.77.11 dst 192.168.77.13
\tproto esp spi 0x00000000 reqid 2 mode transport
"""
POLICY = """src 192.168.77.11/32 dst 192.168.77.12/32 proto udp dport 6081
\tdir out priority 366975
\ttmpl src 0.0.0.0 dst 0.0.0.0
src 192.168.77.13/32 dst 192.168.77.11/32 proto udp sport 6081
\tdir in priority 366975
"""
LOG = """05[IKE] initiating IKE_SA sluice-x0a1b-in-1[1] to 192.168.77.12
06[IKE] initiating IKE_SA sluice-x0a1c-in-1[2] to 192.168.77.13
05[NET] received packet: from 192.168.77.12[500] to 192.168.77.11[500] (65 bytes)
05[IKE] received AUTHENTICATION_FAILED notify error
06[IKE] giving up after 3 retransmits
05[NET] received packet: from 192.168.77.14[500] to 192.168.77.11[500] (65 bytes)
05[IKE] tried 1 shared key for '192.168.77.11' - '192.168.77.14', but MAC mismatched
not of a thread: MAC mismatched
""".splitlines()


def test_associations_have_two_directions_and_those_only_asked_for_are_none() -> None:
    found = associations(STATE.splitlines())
    assert found["192.168.77.12"] == {"in", "out"} and "192.168.77.13" not in found


def test_policies_are_those_of_what_goes_out() -> None:
    assert policies(POLICY.splitlines()) == {"192.168.77.12"}


def test_a_reason_belongs_to_the_peer_that_its_thread_was_busy_with() -> None:
    assert log_reasons(LOG) == {
        "192.168.77.12": "it does not accept this node's key or certificate",
        "192.168.77.13": "it does not answer",
        "192.168.77.14": "its pre-shared key is another one"}


def test_handshakes_expire() -> None:
    assert handshake_reason(1000, 1180) == ""
    assert "181 s ago" in handshake_reason(1000, 1181)
    assert "no handshake" in handshake_reason(0, 1000)
    assert "no such peer" in handshake_reason(None, 1000)


def test_a_refused_certificate_is_not_taken_for_one_of_an_unknown_authority() -> None:
    log = ["06[NET] received packet: from 192.168.77.11[500] to 192.168.77.12[500] (445 bytes)",
           '06[IKE] received end entity cert "O=sluice, CN=node1"',
           "06[CFG] certificate was revoked on Nov 30 12:58:17 UTC 2026, reason: unspecified",
           "06[IKE] no trusted RSA public key found for 'node1'"]
    assert log_reasons(log) == {"192.168.77.11": "its certificate is revoked"}
    log[2] = "06[CFG] subject certificate invalid (valid from Nov 30 11:58:17 2025 to Nov 29 11:58:17 2026)"
    assert log_reasons(log) == {"192.168.77.11": "its certificate has expired, or is not valid yet"}
    assert log_reasons([*log[:2], log[3]]) == {"192.168.77.11": "its certificate is signed by nobody that this node believes"}
    # The next exchange of the same thread has reasons of its own.
    assert log_reasons([*log, log[0], log[3]]) == {"192.168.77.11": "its certificate is signed by nobody that this node believes"}
