# SPDX-License-Identifier: Apache-2.0
"""What is sent between two namespaces, and how fast it gets there: streams of TCP and UDP, requests, connections.

Of the two ends one is a process of its own. The sockets are opened here, each in its namespace, so that nothing has to be started there.
"""
from __future__ import annotations

import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from passes import Passes

from sluice.node.netns import inside

MTU = 1400
"""Of all pods, whatever the path could carry: so segments are the same everywhere."""
DATAGRAM_BYTES = MTU - 28
"""An IPv4 packet as large as the MTU."""
CHUNK_BYTES = 1 << 17
WARM_SHARE = 0.2
"""Of the time of a measurement; what passes in it does not count: TCP's window grows, and the switch learns the flow."""
PATIENCE_SECONDS = 10.0
GREETING_SECONDS = 0.5


@dataclass(frozen=True)
class Path:
    """From one namespace to another, and what the client dials to get there."""

    name: str
    client: int
    """Descriptor of its network namespace."""
    server: int
    address: str
    """The server's own."""
    port: int = 8080
    dialled: tuple[str, int] | None = None
    """Where the client connects to, if that is not the server's own address and port: a Service."""
    cpu: Callable[[], float] | None = None
    """Seconds of CPU, so far, of the processes that carry the packets; None where the kernel does."""
    passes: Callable[[], Passes] | None = None
    """So far, of all switches on the way; None where they are the kernel's."""

    @property
    def target(self) -> tuple[str, int]:
        return self.dialled or (self.address, self.port)


@dataclass(frozen=True)
class Sample:
    """``rate``: units (MB, requests or connections) a second. Where processes carry the packets and not the kernel, ``cpu`` is their µs a unit, and
    ``passes`` the switches' lookups a packet."""

    rate: float
    cpu: float | None = None
    passes: float | None = None


class _Meter:
    """Counts what arrives between the end of the warming up and the end."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path = path
        self._begin = time.monotonic() + seconds * WARM_SHARE
        self._end = time.monotonic() + seconds
        self._began = 0.0
        self._cpu_before = 0.0
        self._passes_before = Passes(0, 0)
        self._units = 0.0

    def take(self, units: float) -> bool:
        """Count ``units`` that have just arrived; whether to go on: until the end, or where the machine was too busy until something counted."""
        now = time.monotonic()
        if self._began:
            self._units += units
        elif now >= self._begin:
            self._passes_before = self._path.passes() if self._path.passes else self._passes_before
            self._cpu_before = self._path.cpu() if self._path.cpu else 0.0
            self._began = time.monotonic()
        return now < self._end or not self._units

    def sample(self) -> Sample:
        """What was counted."""
        elapsed = time.monotonic() - self._began
        cpu = (self._path.cpu() - self._cpu_before) * 1e6 / self._units if self._path.cpu else None
        passes = None
        if self._path.passes:
            after, before = self._path.passes(), self._passes_before
            # On a busy machine, what arrived in so short a time may all have passed before.
            passes = (after.lookups - before.lookups) / (after.packets - before.packets) if after.packets > before.packets else None
        return Sample(self._units / elapsed, cpu, passes)


@contextmanager
def _process(target: Callable[[], None]) -> Iterator[None]:
    """``target`` in a process, as long as the block lasts; it may fail when the other end is gone."""
    def body() -> None:
        with suppress(OSError):
            target()
        # Not what this process would do at its end, which is what it was forked from would do.
        os._exit(0)
    process = multiprocessing.get_context("fork").Process(target=body)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _socket(netns: int, kind: socket.SocketKind) -> socket.socket:
    with inside(netns):
        made = socket.socket(socket.AF_INET, kind)
    made.settimeout(PATIENCE_SECONDS)
    return made


def _listener(path: Path) -> socket.socket:
    listener = _socket(path.server, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((path.address, path.port))
    listener.listen(128)
    return listener


@contextmanager
def _connection(path: Path) -> Iterator[tuple[socket.socket, socket.socket]]:
    """An open TCP connection: the client's and the server's socket."""
    with ExitStack() as stack:
        listener = stack.enter_context(_listener(path))
        client = stack.enter_context(_socket(path.client, socket.SOCK_STREAM))
        client.connect(path.target)
        server = stack.enter_context(listener.accept()[0])
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.settimeout(PATIENCE_SECONDS)
        yield client, server


def _arriving(path: Path, seconds: float, send: Callable[[], object], server: socket.socket) -> Sample:
    """MB a second that arrive at ``server`` while a process does nothing but ``send``."""
    buffer = bytearray(2 * CHUNK_BYTES)

    def send_on() -> None:
        while True:
            send()
    with _process(send_on):
        meter = _Meter(path, seconds)
        while meter.take(server.recv_into(buffer) / 1e6):
            pass
        return meter.sample()


def tcp_stream(path: Path, seconds: float) -> Sample:
    """MB a second over one connection, from the client to the server."""
    chunk = bytes(CHUNK_BYTES)
    with _connection(path) as (client, server):
        return _arriving(path, seconds, lambda: client.sendall(chunk), server)


def _greet(client: socket.socket, server: socket.socket) -> None:
    """Have the first datagram answered: until there is an answer, each is of a new connection to conntrack. Queues that are still full of the stream
    before may lose it."""
    end = time.monotonic() + PATIENCE_SECONDS
    for one in (client, server):
        one.settimeout(GREETING_SECONDS)
    while True:
        try:
            client.send(b"?")
            server.sendto(b"!", server.recvfrom(1)[1])
            client.recv(1)
            break
        except TimeoutError:
            if time.monotonic() > end:
                raise
    for one in (client, server):
        one.settimeout(PATIENCE_SECONDS)


def udp_stream(path: Path, seconds: float) -> Sample:
    """MB a second that arrive, of datagrams that are sent as fast as the client can, after one that was answered."""
    datagram = bytes(DATAGRAM_BYTES)
    with _socket(path.server, socket.SOCK_DGRAM) as server, _socket(path.client, socket.SOCK_DGRAM) as client:
        server.bind((path.address, path.port))
        client.connect(path.target)
        _greet(client, server)
        return _arriving(path, seconds, lambda: client.send(datagram), server)


def requests(path: Path, seconds: float) -> Sample:
    """Requests a second: one byte there and back, over one connection, one at a time."""
    with _connection(path) as (client, server):
        def answer() -> None:
            while server.send(server.recv(1)):
                pass
        with _process(answer):
            meter = _Meter(path, seconds)
            while meter.take(1):
                client.send(b"?")
                client.recv(1)
            return meter.sample()


def connections(path: Path, seconds: float) -> Sample:
    """Connections a second, one at a time, with one byte there and back on each."""
    with _listener(path) as listener:
        def answer() -> None:
            while True:
                # The server closes first, so that what lasts of a connection (TIME_WAIT) takes no port of the client.
                with listener.accept()[0] as server:
                    server.send(server.recv(1))
        with _process(answer):
            meter = _Meter(path, seconds)
            while meter.take(1):
                with _socket(path.client, socket.SOCK_STREAM) as client:
                    client.connect(path.target)
                    client.send(b"?")
                    while client.recv(1):
                        pass
            return meter.sample()
