# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function  # a command line, not an Ansible module
"""What a pod runs where its image cannot be pulled: a server that answers on its ports who it is and who asks."""
from __future__ import annotations

import selectors
import signal
import socket
import sys
from typing import Callable, Sequence

DATAGRAM_MAX = 2048
_BACKLOG = 128


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM. The first argument is the pod's name, the others are its ports (``TCP/80``)."""
    name, *ports = arguments
    # As process 1 of its container it ignores every signal that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    selector = selectors.DefaultSelector()
    for port in ports:
        protocol, _separator, number = port.partition("/")
        if protocol not in ("TCP", "UDP"):
            print(f"{name}: the stand-in does not serve {port}", flush=True)
            continue
        for family in (socket.AF_INET, socket.AF_INET6):
            _listen(selector, family, protocol, int(number), name)
    while True:
        for key, _events in selector.select():
            serve: Callable[[], None] = key.data
            try:
                serve()
            except OSError as error:
                # One client that went away, or descriptors used up for a moment, must not end the server.
                print(f"{name}: {error}", flush=True)


def _listen(selector: selectors.BaseSelector, family: int, protocol: str, port: int, name: str) -> None:
    kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
    server = socket.socket(family, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    server.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    if protocol == "TCP":
        server.listen(_BACKLOG)
        server.setblocking(False)
    selector.register(server, selectors.EVENT_READ, lambda: (_answer_stream if protocol == "TCP" else _answer_datagram)(server, name))


def _answer_stream(server: socket.socket, name: str) -> None:
    client, peer = server.accept()
    with client:
        client.setblocking(False)
        client.sendall(f"{name} {peer[0]}\n".encode())


def _answer_datagram(server: socket.socket, name: str) -> None:
    _request, peer = server.recvfrom(DATAGRAM_MAX)
    server.sendto(f"{name} {peer[0]}\n".encode(), peer)
