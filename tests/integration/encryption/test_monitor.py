# SPDX-License-Identifier: Apache-2.0
"""The ports that Sluice compiles, in front of the real ovs-monitor-ipsec: what it asks strongSwan for. No IKE daemon runs; it gets a stand-in for `ipsec`."""
from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ovs_sandbox import OvsSandbox

from sluice.compile.artifacts import artifact_files
from sluice.encryption.node_keys import make
from sluice.encryption.psk import pair_key, switch_secrets
from sluice.ovs.switch.apply import apply
from sluice.ovs.switch.secrets import with_secrets
from states import cluster_state

SECRET = "0123456789abcdef0123456789abcdef"
SECONDS = 20


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program out of Debian's package, which is not installed: that would start strongSwan on this machine."""
    folder = tmp_path_factory.mktemp("package")
    done = subprocess.run(["apt-get", "-q", "download", "openvswitch-ipsec"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no package openvswitch-ipsec to be had: {done.stderr.strip()}")
    subprocess.run(["dpkg", "-x", str(next(folder.glob("*.deb"))), str(folder / "root")], check=True)
    return folder / "root/usr/share/openvswitch/scripts/ovs-monitor-ipsec"


class Monitor:
    """ovs-monitor-ipsec beside a private Open vSwitch, with a root directory of its own."""

    def __init__(self, program: Path, ovs: OvsSandbox, root: Path) -> None:
        self.root = root
        for folder in ("etc/strongswan.d", "usr/sbin", "sbin"):
            (root / folder).mkdir(parents=True)
        ipsec = root / "usr/sbin/ipsec"
        ipsec.write_text("#!/bin/sh\nexit 0\n")
        ipsec.chmod(0o755)
        self._process = subprocess.Popen(["/usr/bin/python3", str(program), f"--root-prefix={root}", "--ike-daemon=strongswan", ovs.database],
                                         env=ovs.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def connections(self, count: int) -> dict[str, dict[str, str]]:
        """Those of ipsec.conf, once there are ``count``: name to settings."""
        end = time.monotonic() + SECONDS
        while True:
            found: dict[str, dict[str, str]] = {}
            for line in self.file("ipsec.conf").splitlines():
                if line.startswith("conn ") and "%default" not in line:
                    found[line.split()[1]] = {}
                elif line.startswith("    ") and found:
                    key, _separator, value = line.strip().partition("=")
                    found[list(found)[-1]][key] = value
            if len(found) == count:
                return found
            assert time.monotonic() < end, f"{found}; {self.file('ipsec.conf')}"
            time.sleep(0.1)

    def file(self, name: str) -> str:
        path = self.root / "etc" / name
        return path.read_text() if path.exists() else ""

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(SECONDS)


@pytest.fixture
def monitor(program: Path, ovs: OvsSandbox, tmp_path: Path) -> Iterator[Monitor]:
    running = Monitor(program, ovs, tmp_path / "root")
    yield running
    running.close()


@pytest.fixture
def ovs() -> Iterator[OvsSandbox]:
    with OvsSandbox() as sandbox:
        yield sandbox


def put(ovs: OvsSandbox, config: dict[str, Any]) -> None:
    # This machine's kernel has no datapath; what ovs-monitor-ipsec reads is the same.
    config["bridges"][0]["datapath_type"] = "dummy"
    apply(ovs.database, config, "overridden", "sluice", 10)


def switch(state: Any) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(dict(artifact_files(state))["node1/switch.json"])
    return config


@pytest.mark.parametrize("tunnel", ["geneve", "vxlan", "gre"])
def test_pre_shared_keys(monitor: Monitor, ovs: OvsSandbox, tunnel: str) -> None:
    config = switch(cluster_state(3, 0, datapath="system", tunnel_type=tunnel, encryption=["ipsec"] * 3, ipsec={"nat_traversal": True}))
    put(ovs, dict(with_secrets(config, switch_secrets(config, "node1", SECRET))))
    found = monitor.connections(2 if tunnel == "gre" else 4)
    assert {settings["right"] for settings in found.values()} == {"172.16.0.2", "172.16.0.3"}
    for settings in found.values():
        assert settings["ike"] == "aes256gcm16-prfsha256-ecp256!" and settings["esp"] == "aes256gcm16-ecp256!"
        assert settings["forceencaps"] == "yes" and settings["mobike"] == "no" and settings["dpdaction"] == "clear"
    protocols = {settings["rightprotoport"] for settings in found.values()} | {settings["leftprotoport"] for settings in found.values()}
    assert protocols == {"geneve": {"udp", "udp/6081"}, "vxlan": {"udp", "udp/4789"}, "gre": {"gre"}}[tunnel]
    for peer, address in (("node2", "172.16.0.2"), ("node3", "172.16.0.3")):
        assert f'%any {address} : PSK "{pair_key(SECRET, "node1", peer)}"' in monitor.file("ipsec.secrets")
    put(ovs, switch(cluster_state(3, 0, datapath="system", tunnel_type=tunnel)))
    monitor.connections(0)
    assert "PSK" not in monitor.file("ipsec.secrets")


def test_certificates_of_an_authority(monitor: Monitor, ovs: OvsSandbox, tmp_path: Path) -> None:
    config = switch(cluster_state(2, 0, datapath="system", encryption=["ipsec"] * 2, ipsec={"authentication": "ca"}))
    # It looks into the certificate for the name.
    certificate = tmp_path / "own.pem"
    certificate.write_text(make(tmp_path / "keys", wireguard=False, certificate="self_signed", name="node1", check=False).certificate)
    config["other_config"]["certificate"] = str(certificate)
    put(ovs, config)
    for settings in monitor.connections(2).values():
        assert (settings["leftid"], settings["rightid"], settings["leftcert"]) == ("node1", "node2", str(certificate))
    assert f"cacert={config['other_config']['ca_cert']}" in monitor.file("ipsec.conf")
    assert ": RSA /etc/ipsec.d/private/sluice.pem" in monitor.file("ipsec.secrets")


def test_self_signed_certificates(monitor: Monitor, ovs: OvsSandbox, tmp_path: Path) -> None:
    config = switch(cluster_state(2, 0, datapath="system", encryption=["ipsec"] * 2, ipsec={"authentication": "self_signed"}))
    for name in ("node1", "node2"):
        made = make(tmp_path / name, wireguard=False, certificate="self_signed", name=name, check=False)
        (tmp_path / f"{name}.pem").write_text(made.certificate)
    config["other_config"]["certificate"] = str(tmp_path / "node1.pem")
    interface = config["bridges"][0]["ports"][2]["interfaces"][0]
    interface["options"]["remote_cert"] = str(tmp_path / "node2.pem")
    put(ovs, config)
    for settings in monitor.connections(2).values():
        assert (settings["leftid"], settings["rightid"], settings["rightcert"]) == ("node1", "node2", str(tmp_path / "node2.pem"))
