# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function  # a command line, not an Ansible module
"""The agent's life: copies of packets come in from the bridge; answers go to it, and lines to the audit log."""
from __future__ import annotations

import ipaddress
import math
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Mapping, NamedTuple, NoReturn, Optional

from ...errors import SluiceError
from ...ovs.openflow.actions import ActionEncoder
from ...ovs.openflow.connection import ERROR, Connection, socket_address
from ...ovs.openflow.errors import describe_error
from ...ovs.openflow.packet_in import PacketIn, decode_packet_in, request_packet_ins
from ...ovs.openflow.packet_out import packet_out
from ...pipeline.notify import LOG, REJECT
from ...pipeline.tables import CONNTRACK, FLOW_TABLES, FROM_POD, GENERATED, POLICY_EXEMPT, set_bit, set_source
from ...plan.addresses import BRIDGE
from .answer import answer
from .events import Event, Events
from .log import append, line
from .names import Names, identity
from .packet import NAMES, Packet, parse_packet

PROGRAM = "/etc/sluice"
LOG_FILE = "/var/log/sluice/policy.log"

_TICK = 0.25
_RECONNECT = 1.0
_NUMBERS = {name: number for number, name in FLOW_TABLES.items()}
_POLICIES = _NUMBERS[POLICY_EXEMPT]
"""Tables before this one choose a Service's endpoint; from it on, policies judge."""


class Key(NamedTuple):
    """What makes packets one event. ``low`` and ``high`` are ports, or ICMP's type and code, or -1."""

    cookie: int
    protocol: int
    source: bytes
    destination: bytes
    low: int
    high: int


class First(NamedTuple):
    """An event's first packet."""

    length: int
    rule: Optional[Mapping[str, Any]]
    """As it was then: it may be gone when the event is written."""


def run(folder: str = PROGRAM, log_file: str = LOG_FILE, management: str = "") -> None:
    """Serves the bridge until the engine is replaced by another version, whenever and however often its switch comes and goes.

    :param management: the bridge's management socket; empty: its usual one
    """
    signal.signal(signal.SIGTERM, _end)
    agent = _Agent(Path(folder), Path(log_file))
    engine = Path(sys.argv[0])
    started = identity(engine)
    address, said = socket_address(BRIDGE, management), ""
    try:
        # Nothing is loaded from the engine's file any more, so a new version is met here and not in the middle of it.
        while identity(engine) == started:
            trouble = agent.session(address, lambda: identity(engine) == started)
            if trouble != said:
                print(trouble, flush=True)
            said = trouble
            agent.write(time.monotonic())
            time.sleep(_RECONNECT)
    finally:
        agent.write(math.inf)


def _end(_number: int, _frame: Optional[FrameType]) -> NoReturn:
    sys.exit(0)


class _Agent:
    def __init__(self, folder: Path, log_file: Path) -> None:
        self._names = Names(folder)
        self._log_file = log_file
        self._events: Events[Key, First] = Events()
        self._next_write = 0.0
        self._log_failed = False
        # As a pod's answer: that may go anywhere.
        self._actions = ActionEncoder(_NUMBERS).actions((set_source(FROM_POD), set_bit(GENERATED), f"resubmit(,{CONNTRACK})"))

    def session(self, address: str, wanted: Callable[[], bool]) -> str:
        """Serves one connection for as long as it lasts and is ``wanted``; why it ended."""
        try:
            with Connection(address) as connection:
                print(f"connected to {address}", flush=True)
                connection.send(request_packet_ins(connection.next_xid()))
                while wanted():
                    self._serve(connection)
        except SluiceError as error:
            return str(error)
        return "the engine has changed: making room for its new version"

    def _serve(self, connection: Connection) -> None:
        """One message, if there is any for some time; then what is due."""
        message = connection.receive(_TICK)
        if message:
            kind, _xid, body = message
            if kind == ERROR:
                print(f"{connection.address}: {describe_error(body)}", flush=True)
            copy = decode_packet_in(kind, body)
            packet = parse_packet(copy.packet) if copy else None
            if copy and packet:
                self._handle(connection, copy, packet)
        now = time.monotonic()
        if now >= self._next_write:
            self._names.refresh()
            self.write(now)
            self._next_write = now + _TICK

    def _handle(self, connection: Connection, copy: PacketIn, packet: Packet) -> None:
        wanted = copy.userdata[0] if copy.userdata else 0
        if wanted & REJECT:
            frame = answer(packet, copy.table < _POLICIES)
            if frame:
                connection.send(packet_out(connection.next_xid(), self._actions, frame))
        if wanted & LOG:
            low, high = packet.ports or packet.icmp or (-1, -1)
            key = Key(copy.cookie, packet.protocol, packet.source, packet.destination, low, high)
            self._events.add(key, First(packet.length, self._names.rule(copy.cookie)), time.monotonic(), time.time())

    def write(self, now: float) -> None:
        """Writes the events that are due at ``now``. A disk that is full or broken costs lines, and nothing else."""
        lines = [self._line(event) for event in self._events.take_due(now)]
        left_out = self._events.take_left_out()
        if left_out:
            lines.append(line(time.time(), {"left_out": left_out, "reason": "more events than are logged in a second"}))
        if not lines:
            return
        try:
            append(self._log_file, lines)
            self._log_failed = False
        except OSError as error:
            if not self._log_failed:
                print(f"{self._log_file} cannot be written, events are lost: {error.strerror or error}", flush=True)
            self._log_failed = True

    def _line(self, event: Event[Key, First]) -> str:
        key = event.key
        # A new rule's flows may be there before its name is.
        rule = event.first.rule or self._names.rule(key.cookie) or {}
        name = NAMES.get(key.protocol, str(key.protocol))
        low, high = ("icmp_type", "icmp_code") if name.startswith("ICMP") else ("source_port", "destination_port")
        return line(event.wall, {
            "action": rule.get("action", ""), "direction": rule.get("direction", ""),
            "policy": rule.get("policy", ""), "rule": rule.get("rule", f"{key.cookie:#x}"), "name": rule.get("name", ""),
            "protocol": name,
            "source": self._names.pod(key.source), "source_address": str(ipaddress.ip_address(key.source)),
            "destination": self._names.pod(key.destination), "destination_address": str(ipaddress.ip_address(key.destination)),
            low: key.low if key.low >= 0 else "", high: key.high if key.high >= 0 else "",
            "length": event.first.length, "packets": event.packets, "seconds": f"{event.seconds:.3f}", "label": rule.get("label", "")})
