# SPDX-License-Identifier: Apache-2.0
"""An OVSDB client: JSON-RPC (RFC 7047), with nothing but the standard library. The way to the server is remote.py's.

DESIGN names python-ovs as the client. Measured here with 200 ports, to import it and read four tables whole takes 460 ms with
its JSON parser in Python (PyPI's ``ovs``) and 80 ms with the one in C (Debian's); json and socket take 30 to 40 ms, and an
``ovs-vsctl`` that waits 43 ms for all that it does. This also works before python3-openvswitch is installed, and never meets
eventlet, which ovs.poller imports (tests/bench/switch_ports.py measures what it comes to).
"""
from __future__ import annotations

import json
import socket
import time
from typing import Any, Dict, List, Sequence, Union

from ..errors import SluiceError
from .remote import DEFAULT_REMOTE, REPLY_SECONDS, NotInstalled, Remote, open_stream

__all__ = ["DEFAULT_REMOTE", "Conflict", "Connection", "NotInstalled", "Operation", "Remote"]

DATABASE = "Open_vSwitch"

Operation = Dict[str, Any]
"""One operation of RFC 7047 section 5.2, as JSON."""


class Conflict(SluiceError):
    """A ``wait`` operation, or the schema, found the database other than it was read: another writer came between."""


class Connection:
    """A connection to an ovsdb-server. Use as a context manager."""

    def __init__(self, remote: Union[str, Remote]) -> None:
        """Connect to a remote, of which text is the ``database``; raises NotInstalled or SluiceError."""
        self._remote = Remote(remote) if isinstance(remote, str) else remote
        self._stream = open_stream(self._remote)
        self._buffer = bytearray()
        self._decoder = json.JSONDecoder()
        self._last_id = 0

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def columns(self) -> Dict[str, List[str]]:
        """By table, the columns that the database has (get_schema, RFC 7047 section 4.1.2)."""
        tables = self._call("get_schema", [DATABASE])["tables"]
        return {name: list(table["columns"]) for name, table in tables.items()}

    def transact(self, operations: Sequence[Operation]) -> List[Dict[str, Any]]:
        """Run one transaction, and give each operation's result; raises Conflict if it may succeed after a new read."""
        results = self._call("transact", [DATABASE, *operations])
        for index, result in enumerate(results):
            if result is not None and "error" in result:
                detail = f": {result['details']}" if result.get("details") else ""
                at = f" in {json.dumps(operations[index])}" if index < len(operations) else ""
                if result["error"] in ("timed out", "constraint violation", "referential integrity violation"):
                    raise Conflict(f"the OVSDB transaction was refused ({result['error']}{detail})")
                raise SluiceError(f"ovsdb-server refused the transaction: {result['error']}{detail}{at}")
        return list(results)

    def wait_configured(self, sequence: int, seconds: float) -> bool:
        """Whether ``cur_cfg`` comes to ``sequence`` within the time: ovs-vswitchd has then realised what was committed."""
        deadline = time.monotonic() + seconds
        # A connection's monitors have names of their own, and this may be called again.
        tables = self._call("monitor", [DATABASE, self._last_id, {"Open_vSwitch": {"columns": ["cur_cfg"]}}])
        while True:
            current = [row["new"]["cur_cfg"] for row in tables.get("Open_vSwitch", {}).values() if "new" in row]
            if current and max(current) >= sequence:
                return True
            try:
                message = self._receive(deadline)
            except socket.timeout:
                return False
            tables = message["params"][1] if message.get("method") == "update" else {}

    def _call(self, method: str, params: List[Any]) -> Any:
        self._last_id += 1
        self._send({"method": method, "params": params, "id": self._last_id})
        deadline = time.monotonic() + REPLY_SECONDS
        while True:
            try:
                message = self._receive(deadline)
            except socket.timeout:
                raise SluiceError(f"ovsdb-server at {self._remote} did not answer within {REPLY_SECONDS:.0f} s") from None
            if message.get("id") == self._last_id and "result" in message:
                if message.get("error"):
                    raise SluiceError(f"ovsdb-server at {self._remote} refused {method}: {json.dumps(message['error'])}")
                return message["result"]

    def _send(self, message: Dict[str, Any]) -> None:
        try:
            self._stream.settimeout(REPLY_SECONDS)
            self._stream.sendall(json.dumps(message, separators=(",", ":")).encode())
        except OSError as error:
            raise self._lost(error.strerror or str(error)) from None

    def _receive(self, deadline: float) -> Dict[str, Any]:
        """The next message that is not the server's keep-alive; raises socket.timeout at the deadline."""
        while True:
            message = self._parse()
            while message is None:
                self._read(deadline)
                message = self._parse()
            if message.get("method") != "echo":
                return message
            self._send({"result": message["params"], "error": None, "id": message["id"]})

    def _parse(self) -> Dict[str, Any] | None:
        """Take the first message out of what was read; None if it is not complete yet."""
        if self._buffer and not self._buffer.startswith(b"{"):
            raise SluiceError(f"what listens at {self._remote} does not speak OVSDB")
        # A message has no length and no end mark, but its last byte is a brace: not trying at any other keeps a long reply linear.
        if not self._buffer.endswith(b"}"):
            return None
        try:
            text = self._buffer.decode()
            message, end = self._decoder.raw_decode(text)
        except ValueError:
            return None
        self._buffer = bytearray(text[end:].lstrip().encode())
        return dict(message)

    def _read(self, deadline: float) -> None:
        self._stream.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self._stream.recv(1 << 20)
        except socket.timeout:
            raise
        except OSError as error:
            raise self._lost(error.strerror or str(error)) from None
        if not data:
            raise self._lost("it closed the connection")
        self._buffer += data

    def _lost(self, why: str) -> SluiceError:
        return SluiceError(
            f"lost the connection to ovsdb-server at {self._remote}: {why}. "
            "What was under way is done whole or not at all: run again to find out")
