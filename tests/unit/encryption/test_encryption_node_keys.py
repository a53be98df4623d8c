# SPDX-License-Identifier: Apache-2.0
"""Keys of a node: made once, private, and only what is Sluice's is ever removed."""
from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path

import pytest

from sluice.encryption import node_keys
from sluice.encryption.node_keys import Keys, install, make, remove
from sluice.encryption.paths import PRIVATE_KEY


def self_signed(root: Path, name: str = "node1", check: bool = False) -> Keys:
    return make(root, wireguard=False, certificate="self_signed", name=name, check=check)


def test_a_certificate_is_made_once(tmp_path: Path) -> None:
    assert self_signed(tmp_path, check=True) == Keys(True, certificate=node_keys.UNKNOWN_CERTIFICATE)
    assert list(tmp_path.iterdir()) == []
    first = self_signed(tmp_path)
    assert first.changed and "PRIVATE" not in first.certificate
    assert stat.S_IMODE((tmp_path / PRIVATE_KEY[1:]).stat().st_mode) == 0o600
    assert self_signed(tmp_path) == first._replace(changed=False)


@pytest.mark.parametrize("name", ["node1", "node-2.example.org"])
def test_ovs_monitor_ipsec_and_strongswan_find_the_name(tmp_path: Path, name: str) -> None:
    certificate = tmp_path / "one.pem"
    certificate.write_text(self_signed(tmp_path, name).certificate)
    command = ["openssl", "x509", "-noout", "-in", str(certificate), "-subject", "-nameopt", "RFC2253", "-ext", "subjectAltName"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"CN=(.+?),", shown)
    assert found is not None and found[1] == name
    assert f"DNS:{name}" in shown


def test_another_name_another_certificate(tmp_path: Path) -> None:
    first = self_signed(tmp_path)
    second = self_signed(tmp_path, "node2")
    assert second.changed and second.certificate != first.certificate


def test_files_are_made_exactly_so_and_those_of_others_stay(tmp_path: Path) -> None:
    users = tmp_path / "etc/ipsec.d/cacerts/company.pem"
    users.parent.mkdir(parents=True)
    users.write_text("theirs")
    files = {"/etc/ipsec.d/certs/sluice-1.pem": "one\n", "/etc/ipsec.d/crls/sluice-2.pem": "two\n", "/etc/strongswan.d/sluice.conf": "charon {}\n"}
    assert install(tmp_path, files, check=True) == sorted(files)
    assert not (tmp_path / "etc/ipsec.d/certs").exists()
    assert install(tmp_path, files, check=False) == sorted(files)
    assert install(tmp_path, files, check=False) == []
    assert install(tmp_path, {"/etc/ipsec.d/certs/sluice-1.pem": "one\n"}, check=False) == ["/etc/ipsec.d/crls/sluice-2.pem", "/etc/strongswan.d/sluice.conf"]
    self_signed(tmp_path)
    assert len(remove(tmp_path, check=False)) == 3
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [users]
