# SPDX-License-Identifier: Apache-2.0
"""WireGuard links of the host module: read, compared, made and shown, never with what is private."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sluice.errors import InputError
from sluice.node.host import record
from sluice.node.host.describe import diff
from sluice.node.host.model import Host, WireGuard, WireGuardPeer
from sluice.node.host.parse import parse
from sluice.node.host.plan import plan, prior, reverse
from sluice.node.host.wireguard import configuration, parse_dump

A, B, OWN, PRIVATE = "A" * 42 + "E=", "B" * 42 + "E=", "C" * 42 + "E=", "D" * 42 + "E="
DUMP = (f"{PRIVATE}\t{OWN}\t51820\toff\n"
        f"{B}\t(none)\t(none)\t(none)\t0\t0\t0\toff\n"
        f"{A}\t(none)\t[fd77::2]:51820\tfd10:0:0:1::/64,10.0.1.0/24\t1700000000\t1\t2\t25\n")
LINK: dict[str, Any] = {
    "name": "sluice-wg0", "mtu": 1420, "addresses": ["10.0.0.1/32"],
    "wireguard": {"private_key_file": "/etc/sluice/wireguard.key", "port": 51820, "peers": [
        {"public_key": A, "endpoint": "[FD77::2]:51820", "allowed_ips": ["fd10:0:0:1::/64", "10.0.1.0/24"], "persistent_keepalive": 25}]},
}


def wanted(**changes: Any) -> Host:
    host, _sections = parse({"links": [{**LINK, "wireguard": {**LINK["wireguard"], **changes}}]})
    return replace(host, wireguard={name: device and replace(device, public_key=OWN) for name, device in host.wireguard.items()})


def found(text: str = DUMP) -> Host:
    return Host(links={"sluice-wg0": wanted().links["sluice-wg0"]}, wireguard={"sluice-wg0": parse_dump(text)})


def test_a_dump_is_read_without_its_private_key() -> None:
    device = parse_dump(DUMP)
    assert device == WireGuard(51820, (WireGuardPeer(A, "[fd77::2]:51820", ("10.0.1.0/24", "fd10:0:0:1::/64"), 25), WireGuardPeer(B, "", ())), OWN)
    assert PRIVATE not in repr(device)


def test_what_is_as_wanted_needs_nothing() -> None:
    assert not plan(wanted(), found("\n".join(line for line in DUMP.splitlines() if not line.startswith(B))))


@pytest.mark.parametrize("changes", [{"port": 51821}, {"peers": []}, {}])
def test_a_difference_is_set_in_one_go(changes: dict[str, Any]) -> None:
    todo = plan(wanted(**changes), found())
    assert todo.actions() == ["wg syncconf sluice-wg0"]
    assert diff(wanted(**changes), found())[0]["before"].count("wireguard sluice-wg0") == 3


def test_what_is_set_is_read_again() -> None:
    device = wanted().wireguard["sluice-wg0"]
    assert device is not None
    assert configuration(device, PRIVATE) == (
        f"[Interface]\nPrivateKey = {PRIVATE}\nListenPort = 51820\n[Peer]\nPublicKey = {A}\n"
        "AllowedIPs = 10.0.1.0/24, fd10:0:0:1::/64\nEndpoint = [fd77::2]:51820\nPersistentKeepalive = 25\n")


def test_one_that_was_not_there_goes_when_it_is_no_longer_named(tmp_path: Path) -> None:
    known = record.merged(record.Record(), prior(wanted(), Host(wireguard={"sluice-wg0": None})), [])
    record.save(tmp_path, known)
    loaded = record.load(tmp_path)
    assert loaded == known
    want = record.with_restored(Host(), known, frozenset(["links"]))
    assert plan(want, found()).actions()[-1] == "ip link del dev sluice-wg0"
    assert record.with_restored(Host(), known, frozenset(["sysctl"])).wireguard == {}


def test_a_failed_run_takes_a_new_one_away_and_gives_an_old_one_its_peers_back() -> None:
    assert plan(reverse(wanted(), Host(wireguard={"sluice-wg0": None})), found()).wireguard == {"sluice-wg0": None}
    back = reverse(wanted(peers=[]), found()).wireguard["sluice-wg0"]
    assert back is not None and back.peers == parse_dump(DUMP).peers and back.private_key_file == "/etc/sluice/wireguard.key"


@pytest.mark.parametrize(("change", "message"), [
    ({"port": 0}, "wireguard.port: 0 is not valid"),
    ({"private_key_file": "wireguard.key"}, "wireguard.private_key_file"),
    ({"key": PRIVATE}, "wireguard.key: unknown field"),
    ({"peers": [{"public_key": "short", "endpoint": "192.0.2.1:1", "allowed_ips": []}]}, "public_key: 'short' is not valid"),
    ({"peers": [{"public_key": A, "endpoint": "fd77::2:51820", "allowed_ips": []}]}, "endpoint"),
    ({"peers": [{"public_key": A, "endpoint": "192.0.2.1", "allowed_ips": []}]}, "endpoint"),
    ({"peers": [{"public_key": A, "endpoint": "192.0.2.1:1", "allowed_ips": ["10.0.0.1/24"]}]}, "allowed_ips"),
    ({"peers": [{"public_key": key, "endpoint": "192.0.2.1:1", "allowed_ips": ["10.0.0.0/24"]} for key in (A, B)]}, "a second entry for 10.0.0.0/24"),
])
def test_what_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        wanted(**change)
    assert message in str(caught.value)
