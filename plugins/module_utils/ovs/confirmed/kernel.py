# SPDX-License-Identifier: Apache-2.0
"""Reads and changes what the kernel holds of :mod:`.addresses`."""
from __future__ import annotations

from typing import Mapping

from ...errors import SluiceError
from ...node import iproute
from ...node.host.announce import announce
from .addresses import Commands, Network, difference, moved, network


def read() -> Network:
    """The addresses and routes of all links; raises SluiceError."""
    return network(*iproute.show("addr show", "route show table all"))


def run(commands: Commands) -> None:
    """Raises SluiceError, in the kernel's words, where something cannot be made."""
    iproute.change(commands.make)
    iproute.remove(commands.unmake)


def move(moves: Mapping[str, str]) -> None:
    """Bring the addresses and routes of each device (key) to its bridge (value), and tell the neighbours; raises SluiceError."""
    have = read()
    missing = sorted(set(moves.values()) - set(have.macs))
    if missing:
        raise SluiceError(f"addresses cannot be moved to {', '.join(missing)}: there is no such device")
    run(difference(have, moved(have, moves)))
    now = read()
    left = difference(now, moved(now, moves)).all
    if left:
        raise SluiceError(f"addresses or routes could not be moved: still to do is `ip {'`, `ip '.join(left)}`")
    for device, bridge in moves.items():
        if now.macs.get(device) != now.macs[bridge]:
            announce(bridge, now.macs[bridge], [address.words[0] for address in now.addresses if address.device == bridge])
