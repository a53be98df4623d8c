# SPDX-License-Identifier: Apache-2.0
"""Where an ovsdb-server listens, and the way there: a Unix or TCP socket, TLS over it, either through SSH to a target.

A remote is written as OVS's own tools take it (ovsdb(7), "Connection Methods"). What only some remotes need is imported only for them:
most are the Unix socket of the same machine, and modules start often.
"""
from __future__ import annotations

import errno
import os
import re
import socket
from typing import TYPE_CHECKING, NamedTuple, Optional, Protocol, Tuple

from ..errors import SluiceError

if TYPE_CHECKING:
    from .ssh_target import Target
    from .tls import TlsFiles

DEFAULT_REMOTE = "unix:/var/run/openvswitch/db.sock"
VSWITCHD = "/usr/sbin/ovs-vswitchd"
REPLY_SECONDS = 30.0
"""How long ovsdb-server may take to answer. No single request here takes it longer: 4000 ports in one transaction took it 0.25 s."""

_NETWORK = r"(tcp|ssl):(?:\[([^\]]+)\]|([^\[\]:]+)):(\d{1,5})"  # not compiled here: most remotes are sockets of this machine

Address = Tuple[str, str, int]
"""``unix``, ``tcp`` or ``ssl``; the host, or the path; and the port."""


class NotInstalled(SluiceError):
    """There is no Open vSwitch on this machine: neither its socket nor its daemon's program."""


class Remote(NamedTuple):
    """A database, and what is needed to get to it."""

    database: str = DEFAULT_REMOTE
    tls: Optional[TlsFiles] = None
    target: Optional[Target] = None

    def __str__(self) -> str:
        return f"{self.database} of {self.target.host}" if self.target else self.database


class Stream(Protocol):
    """What a socket, a channel of SSH and TLS over either have in common."""

    def settimeout(self, seconds: float, /) -> None: ...
    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...
    def close(self) -> None: ...


def parse_address(database: str) -> Address:
    """The parts of ``unix:PATH``, which has no port, ``tcp:HOST:PORT`` or ``ssl:HOST:PORT``; raises SluiceError for any other text."""
    if database.startswith("unix:") and len(database) > len("unix:"):
        return "unix", database[len("unix:"):], 0
    network = re.fullmatch(_NETWORK, database)
    if network and 0 < int(network[4]) < 65536:
        return network[1], network[2] or network[3], int(network[4])
    raise SluiceError(
        f"cannot connect to database {database!r}: expected unix:PATH or tcp:HOST:PORT or ssl:HOST:PORT, with an IPv6 address in brackets")


def open_stream(remote: Remote) -> Stream:
    """Connect. The stream's timeout is set to what connecting may take; raises NotInstalled or SluiceError."""
    address = parse_address(remote.database)
    if address[0] != "ssl":
        return _connect(remote, address)
    from .tls import client_context, tls_stream

    if remote.tls is None:
        raise SluiceError(f"database {remote.database} needs private_key, certificate and ca_cert")
    context = client_context(remote.tls)
    return tls_stream(_connect(remote, address), context, remote)


def _connect(remote: Remote, address: Address) -> Stream:
    if remote.target:
        from .ssh_target import forwarded_stream

        return forwarded_stream(remote.target, address)
    method, host, port = address
    if method == "unix":
        return _connect_unix(host)
    try:
        return socket.create_connection((host, port), timeout=REPLY_SECONDS)
    except OSError as error:
        raise SluiceError(f"cannot connect to ovsdb-server at {remote}: {error.strerror or error}") from None


def _connect_unix(path: str) -> socket.socket:
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    unix.settimeout(REPLY_SECONDS)
    try:
        unix.connect(path)
    except OSError as error:
        unix.close()
        if error.errno == errno.ENOENT and not os.access(VSWITCHD, os.X_OK):
            raise NotInstalled(f"Open vSwitch is not installed on this machine: there is neither {path} nor {VSWITCHD}") from None
        raise SluiceError(
            f"cannot connect to ovsdb-server at unix:{path}: {error.strerror or error}. "
            "Start Open vSwitch (systemctl start openvswitch-switch)"
        ) from None
    return unix
