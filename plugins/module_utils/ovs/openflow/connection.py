# SPDX-License-Identifier: Apache-2.0
"""A connection to a switch: OpenFlow 1.5 over a Unix or TCP socket, with a limit on how long the switch may be silent."""
from __future__ import annotations

import errno
import select
import struct
import time
from _socket import AF_UNIX, SOCK_STREAM, socket, timeout  # what `socket` is made of, without the dozen modules that it imports

from ...sluice_error import SluiceError

TYPE_CHECKING = False  # to import typing takes as long as much else that is done here
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Optional

VERSION = 6
HEADER = struct.Struct("!BBHI")
HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, BARRIER_REQUEST, BARRIER_REPLY = 0, 1, 2, 3, 20, 21
MULTIPART_REQUEST, MULTIPART_REPLY = 18, 19
_MORE = 1
# The lower half of the transaction ids is left to whoever numbers messages himself, as bundles do.
_FIRST_XID = 1 << 31
_CHUNK = 1 << 18

RUN_DIRECTORY = "/var/run/openvswitch"


def socket_address(bridge: str, given: Optional[str] = None) -> str:
    """Where the bridge is managed: what was given (``unix:path``, ``tcp:host:port`` or a path), else its management socket."""
    if not given:
        return f"unix:{RUN_DIRECTORY}/{bridge}.mgmt"
    return given if given.startswith(("unix:", "tcp:")) else f"unix:{given}"


class NoSocketError(SluiceError):
    """There is not even a socket to connect to, so there is no such bridge (yet)."""


class Connection:
    """An OpenFlow 1.5 connection; ``timeout`` is how many seconds the switch may leave us without an answer.

    Every method raises SluiceError if the switch goes away, stays silent for too long, or does not speak OpenFlow 1.5.
    """

    def __init__(self, address: str, timeout: float = 10.0) -> None:
        self.address = address
        self._timeout = timeout
        self._buffer = bytearray()
        self._xid = _FIRST_XID - 1
        self._socket = self._connect()
        try:
            self._greet()
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def next_xid(self) -> int:
        """A transaction id that this connection has not used."""
        self._xid += 1
        return self._xid

    def multipart(self, kind: int, body: bytes = b"") -> bytes:
        """The bodies of all the replies to a multipart request, one after the other (OpenFlow 1.5.1 §7.3.5)."""
        xid = self.next_xid()
        self._send_all(HEADER.pack(VERSION, MULTIPART_REQUEST, 16 + len(body), xid) + struct.pack("!HH4x", kind, 0) + body)
        parts = []
        while True:
            message_type, message_xid, message = self._receive()
            if message_type == ERROR and message_xid == xid:
                raise SluiceError(f"{self.address}: the switch refused a request (multipart type {kind}): {message.hex()}")
            if message_type == MULTIPART_REPLY and message_xid == xid:
                parts.append(message[8:])
                if not message[3] & _MORE:
                    return b"".join(parts)

    def exchange(self, messages: bytes) -> list[tuple[int, int, bytes]]:
        """Send ``messages`` and a barrier; every message (type, xid, body) that came back before the barrier's reply."""
        xid = self.next_xid()
        replies: list[tuple[int, int, bytes]] = []
        self._send_all(messages + HEADER.pack(VERSION, BARRIER_REQUEST, 8, xid))
        while True:
            reply = self._receive()
            if reply[0] == BARRIER_REPLY and reply[1] == xid:
                return replies
            replies.append(reply)

    def send(self, messages: bytes) -> None:
        """Send messages that the switch does not answer."""
        self._send_all(messages)

    def receive(self, seconds: float) -> Optional[tuple[int, int, bytes]]:
        """The next message (type, xid, body) that comes unasked; None if there is none within ``seconds``."""
        deadline = time.monotonic() + seconds
        while True:
            while len(self._buffer) >= 8 and len(self._buffer) >= int.from_bytes(self._buffer[2:4], "big"):
                message = self._take()
                if message:
                    return message
            if not select.select([self._socket], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            self._read()

    def _connect(self) -> socket:
        kind, _separator, rest = self.address.partition(":")
        try:
            if kind == "unix":
                connection = socket(AF_UNIX, SOCK_STREAM)
                connection.settimeout(self._timeout)
                try:
                    connection.connect(rest)
                except BaseException:
                    connection.close()
                    raise
                return connection
            from socket import create_connection

            host, _separator, port = rest.rpartition(":")
            return create_connection((host.strip("[]"), int(port)), self._timeout)
        except ValueError:
            raise SluiceError(f"'{self.address}' is not an address; expected unix:PATH or tcp:HOST:PORT") from None
        except OSError as error:
            kind_of_error = NoSocketError if kind == "unix" and error.errno == errno.ENOENT else SluiceError
            reason = error.strerror or str(error)
            raise kind_of_error(
                f"cannot connect to {self.address}: {reason}; is ovs-vswitchd running, and does the bridge exist?") from None

    def _greet(self) -> None:
        # Element 1: the bitmap of versions that we speak, here the one.
        self._send_all(HEADER.pack(VERSION, HELLO, 16, self.next_xid()) + struct.pack("!HHI", 1, 8, 1 << VERSION))
        header = self._receive_bytes(8)
        version, kind, length, _xid = HEADER.unpack(header)
        body = self._receive_bytes(length - 8)
        if kind == HELLO and not self._speaks(version, body):
            raise SluiceError(f"{self.address} does not speak OpenFlow 1.5; add OpenFlow15 to the bridge's 'protocols'")
        if kind != HELLO:
            raise SluiceError(f"{self.address} refused OpenFlow 1.5: {body[4:].decode(errors='replace')}")

    @staticmethod
    def _speaks(version: int, body: bytes) -> bool:
        if len(body) >= 8 and body[:2] == b"\0\1":
            return bool(int.from_bytes(body[4:8], "big") >> VERSION & 1)
        return version >= VERSION

    def _receive(self) -> tuple[int, int, bytes]:
        """The next message (type, xid, body) that is not one of the connection's own upkeep."""
        while True:
            message = self._take()
            if message:
                return message

    def _take(self) -> Optional[tuple[int, int, bytes]]:
        """The next message; None for one of the connection's own upkeep, which is done."""
        _version, kind, length, xid = HEADER.unpack(self._receive_bytes(8))
        body = self._receive_bytes(length - 8)
        if kind == ECHO_REQUEST:
            self._send_all(HEADER.pack(VERSION, ECHO_REPLY, 8 + len(body), xid) + body)
            return None
        return None if kind == HELLO else (kind, xid, body)

    def _receive_bytes(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._read()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _read(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
        except timeout:
            raise SluiceError(f"{self.address} gave no answer for {self._timeout:g} seconds; is ovs-vswitchd hung or stopped?") from None
        except OSError as error:
            raise SluiceError(f"{self.address}: {error.strerror or error}") from None
        if not data:
            raise SluiceError(f"{self.address} closed the connection; ovs-vswitchd has stopped, or the bridge was removed")
        self._buffer += data

    def _send_all(self, data: bytes) -> None:
        """Send, and meanwhile keep what arrives: a switch whose answers nobody reads stops reading as well."""
        view = memoryview(data)
        deadline = time.monotonic() + self._timeout
        self._socket.setblocking(False)
        try:
            while view:
                readable, writable, _failed = select.select([self._socket], [self._socket], [], max(0.0, deadline - time.monotonic()))
                if readable:
                    self._read()
                if writable:
                    view = view[self._socket.send(view[:_CHUNK]):]
                    deadline = time.monotonic() + self._timeout
                elif time.monotonic() >= deadline:
                    raise SluiceError(f"{self.address} took nothing for {self._timeout:g} seconds; is ovs-vswitchd hung or stopped?")
        except OSError as error:
            raise SluiceError(f"{self.address}: {error.strerror or error}") from None
        finally:
            self._socket.settimeout(self._timeout)
