# SPDX-License-Identifier: Apache-2.0
"""Servers and clients of all pods in one event loop: who answers whom, and who is refused."""
from __future__ import annotations

import asyncio
import errno
import itertools
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from sluice.node.icmp import Echo

from . import sctp
from .place import Place

ALLOW, DROP, REJECT = "allow", "drop", "reject"

_REPEAT_SECONDS = 0.4
"""UDP and SCTP ask again: a packet may get lost on a busy machine."""
_REFUSALS = (errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.EACCES)
"""What a TCP RST and the ICMP messages of a refusal make of a socket's call."""
_UNREACHABLE = {socket.AF_INET: 3, socket.AF_INET6: 1}
_ICMP = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
_IP_HEADER = {socket.AF_INET: 20, socket.AF_INET6: 40}
_SCTP_PORTS = range(32768, 61000)


@dataclass(frozen=True)
class Probe:
    """One question of one client."""

    source: Place
    address: str
    port: int
    protocol: str
    source_port: int = 0
    """0: any."""


@dataclass(frozen=True)
class Answer:
    verdict: str
    """allow: it came from a server; drop: silence; reject: something refused; else what went wrong in asking."""
    server: str = ""
    """Who answered."""
    client: str = ""
    """The address that the server saw."""


class Prober:
    """A context manager inside a running loop; its sockets are closed at the end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._servers: dict[tuple[int, str, int, str], socket.socket] = {}
        self._raw: dict[tuple[int, str], _RawSctp] = {}
        self._echoes: dict[tuple[int, str], Echo] = {}

    def __enter__(self) -> Prober:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for server in self._servers.values():
            self._loop.remove_reader(server)
            server.close()
        for raw in self._raw.values():
            raw.close()
        for echo in self._echoes.values():
            echo.close()

    def serve(self, place: Place, port: int, protocol: str) -> None:
        """Answer on a port, if nothing does yet. Raises OSError, ValueError for a protocol that cannot be probed."""
        key = (place.netns, place.address, port, protocol)
        if protocol == "SCTP":
            self._sctp(place)
        elif protocol == "ICMP":
            # The kernel answers.
            pass
        elif key not in self._servers:
            if protocol not in ("TCP", "UDP"):
                raise ValueError(f"there is no probe for the protocol {protocol}")
            server = self._servers[key] = place.socket(socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((place.address, port))
            if protocol == "TCP":
                server.listen(512)
            answer = _accept if protocol == "TCP" else _echo
            self._loop.add_reader(server, answer, server, place.name)

    async def ask(self, probe: Probe, seconds: float) -> Answer:
        """What comes back within some time."""
        clients: dict[str, Callable[[Probe], Awaitable[Answer]]] = {"TCP": _connect, "UDP": _call, "SCTP": self._associate,
                                                                    "ICMP": self._ping}
        try:
            return await asyncio.wait_for(clients[probe.protocol](probe), seconds)
        except TimeoutError:
            return Answer(DROP)
        except OSError as error:
            return Answer(REJECT if error.errno in _REFUSALS else f"error: {error.strerror or error}")

    def _sctp(self, place: Place) -> _RawSctp:
        key = (place.netns, place.address)
        if key not in self._raw:
            self._raw[key] = _RawSctp(place, self._loop)
        return self._raw[key]

    async def _associate(self, probe: Probe) -> Answer:
        return await self._sctp(probe.source).associate(probe)

    async def _ping(self, probe: Probe) -> Answer:
        key = (probe.source.netns, probe.source.address)
        if key not in self._echoes:
            raw = probe.source.socket(socket.SOCK_RAW, _ICMP[probe.source.family])
            if probe.source.binds:
                raw.bind((probe.source.address, 0))
            self._echoes[key] = Echo(raw)
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._echoes[key].request(probe.address, 0), _REPEAT_SECONDS)
                return Answer(ALLOW)


def _identity(name: str, client: str) -> bytes:
    return f"{name} {client}".encode()


def _answered(data: bytes) -> Answer:
    server, _space, client = data.decode(errors="replace").partition(" ")
    return Answer(ALLOW, server, client)


def _accept(server: socket.socket, name: str) -> None:
    with suppress(OSError):
        while True:
            connection, address = server.accept()
            with connection:
                connection.send(_identity(name, address[0]))


def _echo(server: socket.socket, name: str) -> None:
    with suppress(OSError):
        while True:
            _data, address = server.recvfrom(2048)
            server.sendto(_identity(name, address[0]), address)


def _client(probe: Probe, kind: socket.SocketKind) -> socket.socket:
    client = probe.source.socket(kind)
    if probe.source_port or probe.source.binds:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((probe.source.address, probe.source_port))
    return client


async def _connect(probe: Probe) -> Answer:
    loop = asyncio.get_running_loop()
    with _client(probe, socket.SOCK_STREAM) as client:
        await loop.sock_connect(client, (probe.address, probe.port))
        data = b""
        while received := await loop.sock_recv(client, 2048):
            data += received
        if probe.source_port:
            # The next one has the same port: no TIME_WAIT on either side of it.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return _answered(data)


async def _call(probe: Probe) -> Answer:
    loop = asyncio.get_running_loop()
    with _client(probe, socket.SOCK_DGRAM) as client:
        client.connect((probe.address, probe.port))
        while True:
            client.send(b"?")
            with suppress(TimeoutError):
                return _answered(await asyncio.wait_for(loop.sock_recv(client, 2048), _REPEAT_SECONDS))


class _RawSctp:
    """Server of every SCTP port of a place, and all of its clients."""

    def __init__(self, place: Place, loop: asyncio.AbstractEventLoop) -> None:
        self._place, self._loop = place, loop
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        """By the client's port."""
        self._ports = itertools.cycle(random.sample(_SCTP_PORTS, 2000))
        self._socket = place.socket(socket.SOCK_RAW, socket.IPPROTO_SCTP)
        self._icmp = place.socket(socket.SOCK_RAW, _ICMP[place.family])
        if place.binds:
            self._socket.bind((place.address, 0))
        loop.add_reader(self._socket, self._received)
        loop.add_reader(self._icmp, self._refused)

    def close(self) -> None:
        for one in (self._socket, self._icmp):
            self._loop.remove_reader(one)
            one.close()

    async def associate(self, probe: Probe) -> Answer:
        port = probe.source_port or next(self._ports)
        request = sctp.encode(sctp.Packet(port, probe.port, 0, sctp.INIT, random.randrange(1, 1 << 32)))
        answer = self._waiting[port] = self._loop.create_future()
        try:
            while True:
                self._socket.sendto(request, (probe.address, 0))
                with suppress(TimeoutError):
                    return await asyncio.wait_for(asyncio.shield(answer), _REPEAT_SECONDS)
        finally:
            del self._waiting[port]

    def _received(self) -> None:
        with suppress(BlockingIOError):
            while True:
                data, address = self._socket.recvfrom(4096)
                # Raw IPv4 sockets give the IP header as well.
                packet = sctp.decode(data[(data[0] & 15) * 4:] if self._place.family == socket.AF_INET else data)
                if packet is None:
                    continue
                if packet.chunk == sctp.INIT:
                    self._answer(packet, address[0])
                elif packet.chunk == sctp.INIT_ACK:
                    self._settle(packet.destination_port, _answered(packet.cookie))
                else:
                    self._settle(packet.destination_port, Answer(REJECT))

    def _answer(self, packet: sctp.Packet, client: str) -> None:
        reply = sctp.Packet(packet.destination_port, packet.source_port, packet.initiate_tag, sctp.INIT_ACK, 1, _identity(self._place.name, client))
        with suppress(OSError):
            self._socket.sendto(sctp.encode(reply), (client, 0))

    def _refused(self) -> None:
        with suppress(BlockingIOError):
            while True:
                data = self._icmp.recv(4096)
                message = data[(data[0] & 15) * 4:] if self._place.family == socket.AF_INET else data
                quoted = message[8 + _IP_HEADER[self._place.family]:]
                if message[0] == _UNREACHABLE[self._place.family] and len(quoted) >= 2 and self._quotes_sctp(message[8:]):
                    self._settle(struct.unpack(">H", quoted[:2])[0], Answer(REJECT))

    def _quotes_sctp(self, packet: bytes) -> bool:
        return packet[9 if self._place.family == socket.AF_INET else 6] == socket.IPPROTO_SCTP

    def _settle(self, port: int, answer: Answer) -> None:
        waiting = self._waiting.get(port)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
