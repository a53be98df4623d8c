# SPDX-License-Identifier: Apache-2.0
"""The process that sends and receives in all pods; `load.Load` starts it. One process, as sockets stay in the namespace where they were opened."""
from __future__ import annotations

import errno
import json
import selectors
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from live.path import ICMP, SYN, TCP, UDP, Path, Record, Stream

from conformance.place import Place

TICK_SECONDS = 0.002
BURST = 100
"""After a pause, such as a busy machine makes, no more packets than these are sent at once: a port's queue is no longer than a few hundred."""
DRAIN_SECONDS = 1.0
RECORD_SECONDS = 0.02
ATTEMPT_SECONDS = 0.1
QUEUE_BYTES = 8 << 20

_PACKET = struct.Struct("!4sII")
_MAGIC = b"live"
_ICMP_HEADER = struct.Struct("!BBHHH")
_ECHO, _ECHO_REPLY = 8, 0
_RECORD = struct.Struct("!I252x")
_TCP_INFO_BYTES = 104
_TOTAL_RETRANSMITTED = 100
"""Where tcpi_total_retrans is in struct tcp_info of Linux."""

Watch = Callable[[socket.socket, Callable[[], None]], None]


class Datagrams:
    """Numbered packets over UDP and pings, ``rate`` a second over all paths together."""

    def __init__(self, watch: Watch, places: dict[str, Place], paths: dict[int, tuple[Path, str]], ports: list[int], rate: float) -> None:
        self.records = {number: Record() for number in paths}
        self._rate = rate
        self._sent, self._begun = 0, time.monotonic()
        raw = {name: _queued(place.socket(socket.SOCK_RAW, socket.IPPROTO_ICMP)) for name, place in places.items()}
        for one in raw.values():
            watch(one, lambda one=one: self._pinged(one))  # type: ignore[misc]
        for place in places.values():
            for port in ports:
                server = _queued(place.socket(socket.SOCK_DGRAM))
                server.bind((place.address, port))
                watch(server, lambda one=server: self._received(one))  # type: ignore[misc]
        self._ways = [(number, path.protocol, raw[path.source] if path.protocol == ICMP else places[path.source].socket(socket.SOCK_DGRAM),
                       (address, path.port)) for number, (path, address) in paths.items()]

    def tick(self, now: float) -> None:
        due = int((now - self._begun) * self._rate)
        if due - self._sent > BURST:
            due = self._sent + BURST
            self._begun = now - due / self._rate
        for count in range(self._sent, due):
            self._send(*self._ways[count % len(self._ways)])
        self._sent = due

    def _send(self, path: int, protocol: str, sender: socket.socket, address: tuple[str, int]) -> None:
        record = self.records[path]
        number = len(record.sent)
        packet = _PACKET.pack(_MAGIC, path, number)
        if protocol == ICMP:
            header = _ICMP_HEADER.pack(_ECHO, 0, 0, path + 1, number & 0xFFFF)
            packet = _ICMP_HEADER.pack(_ECHO, 0, _checksum(header + packet), path + 1, number & 0xFFFF) + packet
        # The time before, so that a packet is never older than it is said to be.
        record.sent.append(time.monotonic())
        with suppress(OSError):
            sender.sendto(packet, address)

    def _received(self, server: socket.socket) -> None:
        with suppress(BlockingIOError):
            while True:
                self._note(server.recv(2048), "arrived")

    def _pinged(self, raw: socket.socket) -> None:
        with suppress(BlockingIOError):
            while True:
                data = raw.recv(2048)
                message = data[(data[0] & 15) * 4:]
                if message[0] in (_ECHO, _ECHO_REPLY):
                    self._note(message[8:], "arrived" if message[0] == _ECHO else "answered")

    def _note(self, packet: bytes, what: str) -> None:
        if len(packet) == _PACKET.size and packet.startswith(_MAGIC):
            _magic, path, number = _PACKET.unpack(packet)
            getattr(self.records[path], what).setdefault(number, time.monotonic())


class Attempts:
    """Connections that are asked for again and again; any segment of one that arrives counts, in the order of arrival."""

    def __init__(self, watch: Watch, places: dict[str, Place], paths: dict[int, tuple[Path, str]]) -> None:
        self.records = {number: Record() for number in paths}
        self._places, self._paths = places, paths
        self._open: dict[int, socket.socket] = {}
        self._next = 0.0
        self._at = {(places[path.source].address, address, path.port): number for number, (path, address) in paths.items()}
        for name in {path.destination for path, _address in paths.values()}:
            raw = _queued(places[name].socket(socket.SOCK_RAW, socket.IPPROTO_TCP))
            watch(raw, lambda one=raw: self._received(one))  # type: ignore[misc]

    def tick(self, now: float) -> None:
        if now < self._next:
            return
        self._next = now + ATTEMPT_SECONDS
        for number, (path, address) in self._paths.items():
            if number in self._open:
                self._open[number].close()
            client = self._open[number] = self._places[path.source].socket(socket.SOCK_STREAM)
            self.records[number].sent.append(now)
            client.connect_ex((address, path.port))

    def _received(self, raw: socket.socket) -> None:
        with suppress(BlockingIOError):
            while True:
                data = raw.recv(2048)
                port = int.from_bytes(data[(data[0] & 15) * 4 + 2:][:2], "big")
                number = self._at.get((socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20]), port))
                if number is not None:
                    arrived = self.records[number].arrived
                    arrived[len(arrived)] = time.monotonic()


class Streams:
    """TCP connections that stay."""

    def __init__(self, watch: Watch, places: dict[str, Place], paths: dict[int, tuple[Path, str]], ports: list[int]) -> None:
        self._watch = watch
        self._ends: dict[int, list[_End]] = {number: [] for number in paths}
        self._by_client: dict[tuple[str, int], int] = {}
        for place in places.values():
            for port in ports:
                server = place.socket(socket.SOCK_STREAM)
                # A load before this one has left its connections behind.
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind((place.address, port))
                server.listen(64)
                watch(server, lambda one=server: self._accept(one))  # type: ignore[misc]
        for number, (path, address) in paths.items():
            client = places[path.source].socket(socket.SOCK_STREAM)
            client.connect_ex((address, path.port))
            self._by_client[places[path.source].address, client.getsockname()[1]] = number
            self._add(number, client)

    def tick(self, now: float) -> None:
        for ends in self._ends.values():
            if len(ends) == 2:
                for end in ends:
                    end.send(now)

    def results(self) -> dict[int, Stream]:
        results = {}
        for number, ends in self._ends.items():
            error = next((end.error for end in ends if end.error), "" if len(ends) == 2 else "was never made")
            results[number] = Stream(sum(end.sent for end in ends), sum(end.received for end in ends), max(end.silence for end in ends),
                                     sum(end.retransmitted() for end in ends), error)
        return results

    def _accept(self, server: socket.socket) -> None:
        with suppress(BlockingIOError):
            while True:
                connection, client = server.accept()
                connection.setblocking(False)
                number = self._by_client.get(client[:2])
                if number is None:
                    connection.close()
                else:
                    self._add(number, connection)

    def _add(self, number: int, connection: socket.socket) -> None:
        end = _End(connection)
        self._ends[number].append(end)
        self._watch(connection, end.receive)


class _End:
    def __init__(self, connection: socket.socket) -> None:
        self.sent = self.received = 0
        self.silence = 0.0
        self.error = ""
        self._connection = connection
        self._last = self._next = 0.0
        self._rest = b""

    def send(self, now: float) -> None:
        if now < self._next or self.error:
            return
        self._next = now + RECORD_SECONDS
        try:
            # Of so few bytes all are taken or, as long as the buffer is full, none.
            self._connection.send(_RECORD.pack(self.sent))
            self.sent += 1
        except BlockingIOError:
            pass
        except OSError as error:
            self.error = str(error)

    def receive(self) -> None:
        try:
            data = self._connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.EINPROGRESS):
                self.error = self.error or str(error)
            return
        if not data:
            self.error = self.error or "ended by the other end"
            return
        now = time.monotonic()
        self.silence = max(self.silence, now - self._last if self._last else 0.0)
        self._last = now
        self._rest += data
        while len(self._rest) >= _RECORD.size:
            (number,) = _RECORD.unpack(self._rest[:_RECORD.size])
            self._rest = self._rest[_RECORD.size:]
            if number != self.received:
                self.error = self.error or f"record {number} came where {self.received} was due"
            self.received += 1

    def retransmitted(self) -> int:
        information: bytes = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        return int.from_bytes(information[_TOTAL_RETRANSMITTED:_TOTAL_RETRANSMITTED + 4], sys.byteorder)


def run(places: dict[str, Place], paths: list[Path], addresses: list[str], ports: dict[str, list[int]], rate: float) -> dict[str, Any]:
    """Send until standard input says something; what became of every path, by its number."""
    selector = selectors.DefaultSelector()

    def watch(one: socket.socket, act: Callable[[], None]) -> None:
        selector.register(one, selectors.EVENT_READ, act)

    def of(*protocols: str) -> dict[int, tuple[Path, str]]:
        return {number: (path, addresses[number]) for number, path in enumerate(paths) if path.protocol in protocols}

    datagrams = Datagrams(watch, places, of(UDP, ICMP), ports[UDP], rate)
    attempts = Attempts(watch, places, of(SYN))
    streams = Streams(watch, places, of(TCP), ports[TCP])
    selector.register(sys.stdin, selectors.EVENT_READ)
    print("running", flush=True)
    end = float("inf")
    while (now := time.monotonic()) < end:
        for key, _events in selector.select(TICK_SECONDS):
            if key.data:
                key.data()
            else:
                selector.unregister(sys.stdin)
                end = now + DRAIN_SECONDS
        if end == float("inf"):
            datagrams.tick(now)
            attempts.tick(now)
            streams.tick(now)
    return {"records": {number: asdict(record) for number, record in (datagrams.records | attempts.records).items()},
            "streams": {number: asdict(stream) for number, stream in streams.results().items()}}


def _queued(one: socket.socket) -> socket.socket:
    """With room for what comes while this process has to wait."""
    one.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, QUEUE_BYTES)
    return one


_SO_RCVBUFFORCE = 33


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(int.from_bytes(data[at:at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


if __name__ == "__main__":
    given = json.loads(sys.stdin.readline())
    print(json.dumps(run({name: Place(name, *rest) for name, rest in given["places"].items()}, [Path(*path) for path in given["paths"]],
                         given["addresses"], given["ports"], given["rate"])))
