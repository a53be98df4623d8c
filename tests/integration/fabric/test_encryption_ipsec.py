# SPDX-License-Identifier: Apache-2.0
"""IPsec between two virtual machines, on their kernels' datapath: turned on while connections last, searched for what is in clear, failing closed, and
taken away again. The tests are in an order, on one lab."""
from __future__ import annotations

from collections.abc import Iterator

import pytest
from fabric.encrypted_lab import MARKER, NODES, Pings, Stream, captured, encrypt, encrypted_lab, pair, passes, turn_off
from fabric.fabric_lab import VIRTUAL, FabricLab

pytestmark = pytest.mark.vm

PACKAGES = ["libstrongswan-standard-plugins", "openssl", "openvswitch-ipsec", "strongswan", "strongswan-charon", "strongswan-starter"]
SECRET, LATER = "secret-of-the-cluster-0123456789abcdef", "another-secret-of-it-0123456789abcdef"
MTU = 1416


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabricLab]:
    with encrypted_lab(tmp_path_factory.mktemp("fabric"), PACKAGES, sluice_mtu=MTU, **VIRTUAL) as lab:
        yield lab


def test_in_clear_the_marker_is_seen(fabric: FabricLab) -> None:
    """So that not finding it later means something. The pods have the MTU that is left later, so that they need not be made again then."""
    fabric.succeed("site")
    text = captured(fabric)
    assert MARKER in text and ".6081: Geneve" in text


def test_turned_on_and_nothing_is_left_in_clear(fabric: FabricLab) -> None:
    fabric.set_variables(sluice_ipsec_secret=SECRET)
    with Stream(fabric) as stream:
        with Pings(fabric) as pings:
            encrypt(fabric, "ipsec", NODES[0])
            fabric.succeed("site")
        print("\nturned on on one node:", pings)
        assert stream.lasts() and MARKER in captured(fabric)
        with Pings(fabric) as pings:
            encrypt(fabric, "ipsec", *NODES)
            run = fabric.succeed("site", "-vvv", "--diff")
        print("and on the other:", pings)
        assert stream.lasts()
    text = captured(fabric)
    assert "ESP(spi=" in text and MARKER not in text and "Geneve" not in text
    assert SECRET not in run.output
    fabric.verify()
    # What is left by itself is what was asked for.
    fabric.set_variables(sluice_mtu=None)
    assert fabric.succeed("site").changed == []


def test_packets_of_the_promised_size_pass(fabric: FabricLab) -> None:
    source, _destination, _address = pair(fabric)
    assert f"mtu {MTU} " in fabric.on(source["node"], fabric.pod_command(source, "ip link show eth0"))
    assert passes(fabric, size=MTU - 28)
    lost = fabric.on(source["node"], "awk '/Error/ {sum += $2} END {print sum}' /proc/net/xfrm_stat").strip()
    assert lost == "0"


def test_another_secret_and_the_stream_goes_on(fabric: FabricLab) -> None:
    with Stream(fabric) as stream:
        fabric.set_variables(sluice_ipsec_secret=LATER)
        fabric.succeed("site")
        assert stream.lasts()
    assert "ESP(spi=" in captured(fabric)


def test_with_another_key_on_one_side_nothing_passes_and_verify_says_why(fabric: FabricLab) -> None:
    port = fabric.on("node1", "ovs-vsctl --bare --columns=name find Interface 'options:psk!=\"\"'").split()[0]
    fabric.on("node1", f"ovs-vsctl set Interface {port} options:psk=tampered; sleep 5")
    assert not passes(fabric)
    assert MARKER not in captured(fabric)
    run = fabric.run("verify")
    assert run.code != 0 and "Nothing can be exchanged encrypted" in run.output and "no security association" in run.output
    fabric.succeed("site")
    assert passes(fabric, count=10)


def test_without_strongswan_nothing_passes(fabric: FabricLab) -> None:
    fabric.on("node1", "systemctl stop openvswitch-ipsec; ipsec stop; sleep 2")
    assert fabric.on("node1", "ip xfrm policy | grep -c 6081; true").strip() == "0"
    assert not passes(fabric)
    text = captured(fabric)
    assert MARKER not in text and "Geneve" not in text
    fabric.succeed("site")
    assert passes(fabric, count=20)


def test_certificates_of_an_authority(fabric: FabricLab) -> None:
    fabric.set_variables(sluice_ipsec={"authentication": "ca"}, ca_passphrase="correct horse battery")
    fabric.succeed("site")
    assert passes(fabric, count=20)
    assert "ESP(spi=" in captured(fabric)
    assert fabric.succeed("site").changed == []
    assert all("PRIVATE" not in path.read_text() or "ENCRYPTED" in path.read_text() for path in (fabric.inventory / "pki").rglob("*") if path.is_file())


def test_a_new_authority_takes_over(fabric: FabricLab) -> None:
    fabric.succeed("ca_rotate")
    assert passes(fabric, count=20)
    fabric.verify()


def test_a_node_whose_certificate_is_revoked_is_not_believed(fabric: FabricLab) -> None:
    """First while the others still have it among their peers, then when it has left the inventory."""
    assert passes(fabric, count=20)
    fabric.set_variables(ca_revoked=["node1"])
    fabric.succeed("site", "--limit", "node2")
    # The connection that is there lasts until it is next authenticated; so it is ended.
    established = "ipsec status | grep -o '^sluice-[^ :]*\\[[0-9]*\\]: ESTABLISHED' | cut -d: -f1"
    again = f"for c in $({established}); do ipsec down $c; done; timeout 30 ipsec up $(grep -o 'sluice-[a-z0-9]*-out-[0-9]*' /etc/ipsec.conf | head -1)"
    refused = fabric.on("node2", again, check=False)
    assert "certificate was revoked" in refused and "failed" in refused
    assert not passes(fabric)
    assert MARKER not in captured(fabric)
    assert "its certificate is revoked" in fabric.run("verify").output
    fabric.set_nodes(2)
    fabric.succeed("site")
    assert fabric.on("node2", "ip xfrm state; ip xfrm policy | grep 6081; ovs-vsctl show | grep remote_name; true").strip() == ""
    # Trusted again, the node gets another certificate.
    fabric.set_nodes(1, 2)
    fabric.set_variables(ca_revoked=None)
    fabric.succeed("site")
    assert passes(fabric, count=20)


def test_certificates_that_nodes_sign_themselves(fabric: FabricLab) -> None:
    fabric.set_variables(sluice_ipsec={"authentication": "self_signed"})
    fabric.succeed("site")
    assert passes(fabric, count=20)
    assert "ESP(spi=" in captured(fabric)


@pytest.mark.parametrize("tunnel", ["vxlan", "gre"])
def test_other_tunnels(fabric: FabricLab, tunnel: str) -> None:
    fabric.set_variables(sluice_tunnel_type=tunnel, sluice_ipsec={"nat_traversal": tunnel == "vxlan"}, sluice_mtu=1400)
    fabric.succeed("site")
    assert passes(fabric, count=20)
    text = captured(fabric)
    assert ("UDP-encap: ESP(spi=" if tunnel == "vxlan" else "ESP(spi=") in text and MARKER not in text


def test_over_ipv6(fabric: FabricLab) -> None:
    for node in NODES:
        fabric.on(node, "ip -4 address flush dev eth1")
    fabric.set_variables(sluice_tunnel_type=None, sluice_ipsec={}, sluice_mtu=None)
    fabric.succeed("site")
    assert passes(fabric, count=20)
    text = captured(fabric)
    assert "IP6 fd77::" in text and "ESP(spi=" in text and MARKER not in text and "Geneve" not in text


def test_turned_off_and_uninstalled_nothing_is_left(fabric: FabricLab) -> None:
    pings = turn_off(fabric, "ipsec")
    print("\nturned off node by node:", pings)
    assert passes(fabric)
    fabric.succeed("uninstall")
    for node in NODES:
        left = fabric.on(node, "cat /etc/ipsec.secrets /etc/ipsec.conf; ip xfrm policy; find /etc/ipsec.d /etc/strongswan.d -name 'sluice*'")
        assert "PSK" not in left and "conn sluice" not in left and "sluice" not in left and "6081" not in left
