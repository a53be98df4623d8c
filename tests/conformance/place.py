# SPDX-License-Identifier: Apache-2.0
"""Where sockets are opened: one process serves and probes from all pods, since a socket stays in the namespace it was opened in."""
from __future__ import annotations

import socket
from dataclasses import dataclass

from sluice.node.netns import inside


@dataclass(frozen=True)
class Place:
    """A pod, a node or a host outside of the cluster."""

    name: str
    """As rows call it."""
    netns: int
    """Descriptor of its network namespace."""
    address: str
    binds: bool = False
    """Whether it has several addresses, so that its sockets have to be bound to this one."""

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET

    def socket(self, kind: socket.SocketKind, protocol: int = 0) -> socket.socket:
        """A new socket that does not block."""
        with inside(self.netns):
            made = socket.socket(self.family, kind, protocol)
        made.setblocking(False)
        return made
