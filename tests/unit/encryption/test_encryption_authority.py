# SPDX-License-Identifier: Apache-2.0
"""The certificate authority, judged by openssl: who is believed when, and that a second run signs nothing."""
from __future__ import annotations

import datetime
import stat
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("cryptography")
from sluice.encryption.authority import Issued, Policy, run
from sluice.encryption.node_keys import make
from sluice.errors import SluiceError

PASSPHRASE = "correct horse battery"
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
LATER = NOW + datetime.timedelta(days=300)


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {name: make(tmp_path_factory.mktemp(name), wireguard=False, certificate="request", name=name, check=False).request
            for name in ("node1", "node2.example")}


def sign(folder: Path, requests: dict[str, str], now: datetime.datetime = NOW, check: bool = False, rotation: str = "none",
         revoked: tuple[str, ...] = ()) -> Issued:
    return run(folder, PASSPHRASE, requests, revoked, rotation=rotation, policy=Policy(), now=now, check=check)


def believed(folder: Path, issued: Issued, certificate: str, now: datetime.datetime = NOW) -> bool:
    """Whether openssl takes it, with what the nodes are given."""
    (folder / "all.pem").write_text("".join(issued.authorities))
    (folder / "lists.pem").write_text("".join(issued.revocations))
    (folder / "one.pem").write_text(certificate)
    lists = ["-crl_check", "-CRLfile", str(folder / "lists.pem")] if issued.revocations else []
    command = ["openssl", "verify", "-CAfile", str(folder / "all.pem"), "-attime", str(int(now.timestamp())), *lists, str(folder / "one.pem")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_signed_certificates_are_believed_and_name_the_node(tmp_path: Path, requests: dict[str, str]) -> None:
    issued = sign(tmp_path / "pki", requests)
    assert issued.changed and len(issued.authorities) == 1 and set(issued.certificates) == set(requests)
    for name, certificate in issued.certificates.items():
        assert believed(tmp_path, issued, certificate)
        shown = subprocess.run(["openssl", "x509", "-noout", "-subject", "-ext", "subjectAltName", "-nameopt", "RFC2253"], input=certificate,
                               capture_output=True, text=True, check=True).stdout
        # ovs-monitor-ipsec reads the name up to the comma, and strongSwan wants it as an alternative name.
        assert f"subject=CN={name},O=sluice" in shown and f"DNS:{name}" in shown


def test_a_second_run_signs_nothing_and_a_dry_one_writes_nothing(tmp_path: Path, requests: dict[str, str]) -> None:
    dry = sign(tmp_path / "pki", requests, check=True)
    assert dry.changed and not (tmp_path / "pki").exists()
    first = sign(tmp_path / "pki", requests)
    assert [action.split()[0] for action in dry.actions] == [action.split()[0] for action in first.actions]
    second = sign(tmp_path / "pki", requests)
    assert not second.changed and second.certificates == first.certificates


def test_keys_are_encrypted_and_nobody_elses(tmp_path: Path, requests: dict[str, str]) -> None:
    sign(tmp_path / "pki", requests)
    key = next((tmp_path / "pki").glob("authorities/*.key"))
    assert "BEGIN ENCRYPTED PRIVATE KEY" in key.read_text()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and stat.S_IMODE((tmp_path / "pki").stat().st_mode) == 0o700
    with pytest.raises(SluiceError, match="does not open with this passphrase"):
        run(tmp_path / "pki", "another passphrase", {}, ("node1",), policy=Policy(), now=NOW)
    with pytest.raises(SluiceError, match="at least 12"):
        run(tmp_path / "pki", "short", {}, policy=Policy(), now=NOW)


def test_what_expires_is_renewed_before(tmp_path: Path, requests: dict[str, str]) -> None:
    first = sign(tmp_path / "pki", requests)
    renewed = sign(tmp_path / "pki", requests, now=LATER)
    assert all(renewed.certificates[name] != first.certificates[name] for name in requests)
    assert believed(tmp_path, first, first.certificates["node1"], LATER), "the old one lasts until all nodes have the new one"
    assert not sign(tmp_path / "pki", requests, now=LATER).changed


def test_a_new_key_gets_a_new_certificate(tmp_path: Path, requests: dict[str, str]) -> None:
    first = sign(tmp_path / "pki", requests)
    other = make(tmp_path / "other", wireguard=False, certificate="request", name="node1", check=False).request
    second = sign(tmp_path / "pki", {**requests, "node1": other})
    assert second.certificates["node1"] != first.certificates["node1"] and second.certificates["node2.example"] == first.certificates["node2.example"]


def test_another_nodes_request_is_not_answered(tmp_path: Path, requests: dict[str, str]) -> None:
    with pytest.raises(SluiceError, match=r"the request of node1 is for node2\.example"):
        sign(tmp_path / "pki", {"node1": requests["node2.example"]})


def test_the_revoked_are_not_believed_and_get_nothing(tmp_path: Path, requests: dict[str, str]) -> None:
    first = sign(tmp_path / "pki", requests)
    second = sign(tmp_path / "pki", requests, revoked=("node1",))
    assert second.actions[0] == "revoke the certificate of node1"
    assert set(second.certificates) == {"node2.example"}
    assert not believed(tmp_path, second, first.certificates["node1"])
    assert believed(tmp_path, second, first.certificates["node2.example"])
    third = sign(tmp_path / "pki", requests, revoked=("node1",))
    assert not third.changed and third.revocations == second.revocations
    back = sign(tmp_path / "pki", requests)
    assert believed(tmp_path, back, back.certificates["node1"])
    assert not believed(tmp_path, back, first.certificates["node1"])


def test_a_new_authority_takes_over_with_nobody_unbelieved(tmp_path: Path, requests: dict[str, str]) -> None:
    first = sign(tmp_path / "pki", requests)
    begun = sign(tmp_path / "pki", requests, rotation="begin")
    assert len(begun.authorities) == 2 and begun.certificates == first.certificates
    assert not sign(tmp_path / "pki", requests, rotation="begin").changed
    with pytest.raises(SluiceError, match="in use; run with rotation switch"):
        _finish_early(tmp_path)
    switched = sign(tmp_path / "pki", requests, now=NOW + datetime.timedelta(hours=2), rotation="switch")
    for issued in (begun, switched):
        # A node that has this run's authorities believes those that have the other run's certificates.
        assert all(believed(tmp_path, issued, certificate, LATER) for other in (begun, switched) for certificate in other.certificates.values())
    finished = sign(tmp_path / "pki", requests, rotation="finish")
    assert len(finished.authorities) == 1 and finished.certificates == switched.certificates
    assert not believed(tmp_path, finished, first.certificates["node1"])
    assert not sign(tmp_path / "pki", requests).changed


def _finish_early(folder: Path) -> None:
    """The new one signs, but a node that was beyond this run still has the old one's certificate."""
    copy = folder / "copy"
    subprocess.run(["cp", "-a", str(folder / "pki"), str(copy)], check=True)
    sign(copy, {}, rotation="switch")
    sign(copy, {}, rotation="finish")
