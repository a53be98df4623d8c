# SPDX-License-Identifier: Apache-2.0
"""A server that tells its clients which address it sees them by: what proves that a pod's address was translated.

Run as a program: echo.py PORT ADDRESS…; answers on TCP (at connect) and UDP (to each datagram).
"""
from __future__ import annotations

import socket
import socketserver
import sys
import threading


class TellTcp(socketserver.BaseRequestHandler):
    """Answer a connection with the client's address."""

    def handle(self) -> None:
        self.request.sendall(f"{self.client_address[0]}\n".encode())


class TellUdp(socketserver.BaseRequestHandler):
    """Answer a datagram with the client's address."""

    def handle(self) -> None:
        self.request[1].sendto(f"{self.client_address[0]}\n".encode(), self.client_address)


def serve(port: int, addresses: list[str]) -> None:
    """Serve on ``port`` of each of ``addresses``. One socket an address, so that a UDP answer comes from where it was asked for."""
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for base, handler in ((socketserver.ThreadingTCPServer, TellTcp), (socketserver.ThreadingUDPServer, TellUdp)):
            server = type("Server", (base,), {"address_family": family, "allow_reuse_address": True, "daemon_threads": True})
            threading.Thread(target=server((address, port), handler).serve_forever).start()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2:])
