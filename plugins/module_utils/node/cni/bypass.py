# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function  # the engine knows no Ansible module
"""With the userspace datapath, keeps the kernel from taking a pod's packets too, past the bridge and all of its flows.

ovs-vswitchd gets packets from the host's end of a veth pair by a packet socket, and the kernel gets the same packets: it would answer
the pod's ARP requests and forward what the pod then sends to that MAC. The ingress hook comes after packet sockets.
"""
from __future__ import annotations

import subprocess

from .request import IO_FAILURE, CniError

TABLE = "netdev sluice-pods"


def close(interface: str) -> None:
    """Drop the kernel's copy of what arrives on ``interface``. Raises CniError."""
    chain = f"{TABLE} {_chain(interface)}"
    _nft(f'add table {TABLE}\nadd chain {chain} {{ type filter hook ingress device "{interface}" priority -500; policy drop; }}\n')


def forget(interface: str) -> None:
    """Remove what :func:`close` made, if it is there: some kernels remove it with the interface, others keep it."""
    # Added first, because removing what is not there is an error to nft; in one transaction the two cancel out.
    chain = f"{TABLE} {_chain(interface)}"
    _nft(f"add table {TABLE}\nadd chain {chain}\ndelete chain {chain}\n")


def forget_all() -> None:
    """Remove the table; for when no pod is left."""
    _nft(f"add table {TABLE}\ndelete table {TABLE}\n")


def _chain(interface: str) -> str:
    # A name must begin with a letter, and a pod's may begin with a digit.
    return f"port_{interface}"


def _nft(commands: str) -> None:
    try:
        done = subprocess.run(["nft", "-f", "-"], input=commands, text=True, capture_output=True, check=False)
    except FileNotFoundError:
        raise CniError(IO_FAILURE, "the command `nft` is not on this node; the userspace datapath needs it (package nftables)") from None
    if done.returncode:
        raise CniError(IO_FAILURE, f"nft did not take the rule that keeps the kernel off a pod's port: {done.stderr.strip()}")
