# SPDX-License-Identifier: Apache-2.0
"""Commands to a running ovs-vswitchd, as ovs-appctl gives them: JSON-RPC over its control socket (ovs-appctl(8))."""
from __future__ import annotations

import json
import socket
from pathlib import Path
from types import TracebackType

from ..errors import SluiceError


class Control:
    """A connection to the ovs-vswitchd whose sockets are in a directory; ``timeout`` is how many seconds it may be silent.

    Every method raises SluiceError if the daemon cannot be reached, is silent for too long, or refuses a command.
    """

    def __init__(self, directory: str, timeout: float = 10.0) -> None:
        self._directory = directory
        self._command = ""
        self._socket = self._connect(timeout)

    def __enter__(self) -> Control:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()

    def run(self, command: str, *arguments: str) -> str:
        """What the command prints."""
        self.begin(command, *arguments)
        return self.end()

    def begin(self, command: str, *arguments: str) -> None:
        """Give a command without waiting for it; :meth:`end` does, and must come before the next one."""
        self._command = " ".join([command, *arguments])
        try:
            self._socket.sendall(json.dumps({"id": 0, "method": command, "params": arguments}).encode())
        except OSError as error:
            raise SluiceError(f"ovs-vswitchd did not take `{self._command}`: {error.strerror or error}") from None

    def end(self) -> str:
        """What the command that was begun prints."""
        buffer = bytearray()
        try:
            while True:
                data = self._socket.recv(1 << 20)
                if not data:
                    raise SluiceError(f"ovs-vswitchd ended during `{self._command}`")
                buffer += data
                # A reply ends with a brace, which can also be in the middle of one.
                if buffer.endswith(b"}"):
                    try:
                        reply = json.loads(buffer)
                        break
                    except ValueError:
                        continue
        except OSError as error:
            raise SluiceError(f"ovs-vswitchd did not answer `{self._command}`: {error.strerror or error}") from None
        if reply.get("error") is not None:
            raise SluiceError(f"ovs-vswitchd refused `{self._command}`: {str(reply['error']).strip()}")
        return str(reply.get("result") or "")

    def _connect(self, timeout: float) -> socket.socket:
        # The name has the daemon's process id, and a crash leaves the file behind: the one that answers is the one that runs.
        for path in sorted(Path(self._directory).glob("ovs-vswitchd*.ctl")):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(timeout)
            try:
                connection.connect(str(path))
                return connection
            except OSError:
                connection.close()
        raise SluiceError(f"no ovs-vswitchd answers at {self._directory}/ovs-vswitchd.*.ctl; is it running?")
