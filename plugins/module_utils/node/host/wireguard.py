# SPDX-License-Identifier: Apache-2.0
"""WireGuard devices by wg(8): the kernel's, or where it has none, those of wireguard-go. Private keys are in files of the node alone."""
from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Iterable, Mapping, Optional

from ...errors import SluiceError
from ..process import output, run
from .model import WireGuard, WireGuardPeer

_APPEARS_SECONDS = 10
_REMEDY = "install the package wireguard-tools"


def _run(*command: str) -> CompletedProcess[str]:
    return run(command, remedy=_REMEDY)


def parse_dump(text: str) -> WireGuard:
    """``wg show <device> dump``. Its first line begins with the private key, which goes no further."""
    first, *lines = [line.split("\t") for line in text.splitlines()]
    peers = []
    for public_key, _preshared, endpoint, allowed_ips, _handshake, _received, _sent, keepalive in lines:
        peers.append(WireGuardPeer(
            public_key, "" if endpoint == "(none)" else endpoint, tuple(sorted(allowed_ips.split(","))) if allowed_ips != "(none)" else (),
            0 if keepalive == "off" else int(keepalive)))
    return WireGuard(int(first[2]), tuple(sorted(peers)), "" if first[1] == "(none)" else first[1])


def read(names: Iterable[str]) -> dict[str, Optional[WireGuard]]:
    """None for a device that is not there, or is none of WireGuard's."""
    found: dict[str, Optional[WireGuard]] = {}
    for name in names:
        try:
            result = _run("wg", "show", name, "dump")
        except SluiceError:
            return dict.fromkeys(names)
        found[name] = None if result.returncode else parse_dump(result.stdout)
    return found


def _private_key(root: Path, path: str) -> str:
    try:
        return (root / path.lstrip("/")).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SluiceError(f"the private key {path} cannot be read: {error}; sluice.fabric.node_keys makes it") from error


def with_public_keys(devices: Mapping[str, Optional[WireGuard]], root: Path, check: bool) -> dict[str, Optional[WireGuard]]:
    """Each wanted device with the public key that belongs to its file's private one; without, where a dry run finds no file yet.

    :raises SluiceError: there is no such file
    """
    known: dict[str, Optional[WireGuard]] = {}
    for name, device in devices.items():
        if device is not None and not (check and not (root / device.private_key_file.lstrip("/")).exists()):
            device = replace(device, public_key=output(["wg", "pubkey"], _private_key(root, device.private_key_file), remedy=_REMEDY).strip())
        known[name] = device
    return known


def configuration(device: WireGuard, private_key: str) -> str:
    """The device in the syntax of wg(8), CONFIGURATION FILE FORMAT."""
    lines = ["[Interface]", f"PrivateKey = {private_key}", f"ListenPort = {device.port}"]
    for peer in device.peers:
        lines += ["[Peer]", f"PublicKey = {peer.public_key}", f"AllowedIPs = {', '.join(peer.allowed_ips)}", f"Endpoint = {peer.endpoint}"]
        lines += [f"PersistentKeepalive = {peer.persistent_keepalive}"] if peer.persistent_keepalive else []
    return "".join(f"{line}\n" for line in lines)


def _make(name: str) -> None:
    made = _run("ip", "link", "add", "dev", name, "type", "wireguard")
    if made.returncode == 0:
        return
    # As a unit of its own: what a unit or a login has started may end with it.
    started = _run("systemd-run", "--quiet", "--collect", f"--unit={name}", "wireguard-go", "--foreground", name)
    if started.returncode:
        raise SluiceError(f"this kernel makes no WireGuard device ({made.stderr.strip()}), and wireguard-go does not run: {started.stderr.strip()}; "
                          "install the package wireguard-go, or a kernel with the module wireguard")
    end = time.monotonic() + _APPEARS_SECONDS
    while _run("wg", "show", name, "listen-port").returncode:
        if time.monotonic() > end:
            raise SluiceError(f"wireguard-go has not made {name} within {_APPEARS_SECONDS} s; see `journalctl -u {name}`")
        time.sleep(0.05)


def change(devices: Mapping[str, Optional[WireGuard]], root: Path) -> None:
    """Makes the devices that are wanted so; connections of peers that stay last (wg(8), syncconf).

    :raises SluiceError: there is no WireGuard, or it refuses
    """
    for name, device in devices.items():
        if device is not None:
            if _run("wg", "show", name, "listen-port").returncode:
                _make(name)
            output(["wg", "syncconf", name, "/dev/stdin"], configuration(device, _private_key(root, device.private_key_file)), remedy=_REMEDY)


def remove(devices: Mapping[str, Optional[WireGuard]]) -> None:
    """Takes away the devices that have to go; the caller reads back."""
    for name, device in devices.items():
        if device is None:
            _run("ip", "link", "del", "dev", name)


def lines(name: str, device: Optional[WireGuard]) -> list[str]:
    """The device for people, without what is private."""
    if device is None:
        return []
    own = f"wireguard {name} port {device.port}" + (f" public key {device.public_key}" if device.public_key else "")
    return [own, *(f"wireguard {name} peer {peer.public_key} at {peer.endpoint} for {', '.join(peer.allowed_ips)}"
                   + (f" keepalive {peer.persistent_keepalive}" if peer.persistent_keepalive else "") for peer in device.peers)]
