# SPDX-License-Identifier: Apache-2.0
"""Real packets from the pods of a node: whether, and by whom, an address answers.

All probes of a node run in one process. A socket belongs to the network namespace in which it was made, so it is enough to enter a
pod's namespace for the moment of making it.
"""
from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import time
from contextlib import ExitStack, nullcontext
from typing import Any, Awaitable, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..errors import InputError, Problem
from .cni.attachment import load_all
from .cni.netlink import Netlink
from .icmp import SIZE_MAX, SIZE_MIN, Echo
from .netns import inside

NODE = "node"
"""Source of the probes that the node itself sends."""

CONCURRENT = 256
"""Each may have a socket of its own, and 1024 files are what a process may have open by default. What is denied waits here until its time is up."""
STARTING = 16
"""So many wait for their first answer at a time. A switch takes first packets one after another: behind hundreds of them, on a slow node,
ARP requests and neighbor solicitations come too late, and the sender's own stack says that nobody is there (after three, a second apart)."""
_STARTED_SHARE = 1 / 16
"""Of a try's time, after which a probe without an answer lets another one start: who waits longer for answers has slower nodes."""
_RECEIVE_MAX = 2048

OPEN, REFUSED, TIMED_OUT, TOO_BIG, UNREACHABLE, NO_SOURCE = "open", "refused", "timed_out", "too_big", "unreachable", "no_source"
OUTCOMES = (OPEN, REFUSED, TIMED_OUT, TOO_BIG, UNREACHABLE, NO_SOURCE)


class Probe(NamedTuple):
    source: str
    """``namespace/name`` of a pod of this node, or NODE."""
    destination: str
    """What has the address, for people; nothing depends on it."""
    address: str
    protocol: str
    """icmp | tcp | udp"""
    port: int = 0
    size: int = 0
    """Of an ICMP packet that must not be fragmented, in bytes with its IP header; 0: does not matter."""


class Answer(NamedTuple):
    outcome: str
    seen: str = ""
    """The line that a stand-in answers with: the pod's name and the address that it sees its client by."""
    rtt_ms: float = 0.0


def run(probes: Sequence[Probe], state_dir: str, tries: int, seconds: float) -> List[Answer]:
    """One answer a probe, in their order. Each has ``tries`` tries of ``seconds`` each; an answer, a refusal or a packet that is too big ends it."""
    with ExitStack() as stack:
        namespaces = _open_namespaces({probe.source for probe in probes}, state_dir, stack)
        return asyncio.run(_run(probes, namespaces, tries, seconds))


def _open_namespaces(sources: set[str], state_dir: str, stack: ExitStack) -> Dict[str, Optional[int]]:
    """Source to descriptor of its network namespace, None for this one; pods that do not live are left out."""
    found: Dict[str, Optional[int]] = {NODE: None}
    for attachment in load_all(state_dir):
        name = f"{attachment.namespace}/{attachment.name}"
        if name not in sources:
            continue
        try:
            descriptor = os.open(attachment.netns, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        stack.callback(os.close, descriptor)
        # The path may have become another process's since.
        if _has_mac(descriptor, attachment.ifname, attachment.mac):
            found[name] = descriptor
    return found


def _has_mac(descriptor: int, ifname: str, mac: str) -> bool:
    with inside(descriptor):
        netlink = Netlink()
    try:
        return netlink.link(ifname).mac == mac
    except OSError:
        return False
    finally:
        netlink.close()


async def _run(probes: Sequence[Probe], namespaces: Mapping[str, Optional[int]], tries: int, seconds: float) -> List[Answer]:
    prober = _Prober(namespaces, tries, seconds)
    try:
        return list(await asyncio.gather(*map(prober.probe, probes)))
    finally:
        prober.close()


class _Prober:
    def __init__(self, namespaces: Mapping[str, Optional[int]], tries: int, seconds: float) -> None:
        self._namespaces = namespaces
        self._tries = tries
        self._seconds = seconds
        self._limit = asyncio.Semaphore(CONCURRENT)
        self._starting = asyncio.Semaphore(STARTING)
        self._echoes: Dict[Tuple[str, int], Echo] = {}
        self._attempts: Dict[str, Callable[[Probe], Awaitable[str]]] = {"icmp": self._icmp, "tcp": self._tcp, "udp": self._udp}

    def close(self) -> None:
        for echo in self._echoes.values():
            echo.close()

    async def probe(self, probe: Probe) -> Answer:
        if probe.source not in self._namespaces:
            return Answer(NO_SOURCE)
        answer = Answer(TIMED_OUT)
        async with self._limit:
            for _try in range(self._tries):
                tried = await self._try(probe)
                answer = max(answer, tried, key=_telling)
                if not _may_differ(probe, tried):
                    break
        return answer

    async def _try(self, probe: Probe) -> Answer:
        async with self._starting:
            started = time.monotonic()
            attempt = asyncio.ensure_future(asyncio.wait_for(self._attempts[probe.protocol](probe), self._seconds))
            await asyncio.wait({attempt}, timeout=self._seconds * _STARTED_SHARE)
        try:
            return Answer(OPEN, await attempt, round((time.monotonic() - started) * 1000, 2))
        except (asyncio.TimeoutError, TimeoutError):
            return Answer(TIMED_OUT)
        except OSError as error:
            return Answer(_outcome(error))

    async def _icmp(self, probe: Probe) -> str:
        family = _family(probe)
        echo = self._echoes.get((probe.source, family))
        if not echo:
            protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
            echo = self._echoes[probe.source, family] = Echo(self._socket(probe, socket.SOCK_RAW, protocol))
        await echo.request(probe.address, probe.size)
        return ""

    async def _tcp(self, probe: Probe) -> str:
        loop = asyncio.get_running_loop()
        with self._socket(probe, socket.SOCK_STREAM) as client:
            await loop.sock_connect(client, (probe.address, probe.port))
            try:
                # Not every server speaks first; that it has taken the connection is what was asked.
                return _line(await asyncio.wait_for(loop.sock_recv(client, _RECEIVE_MAX), self._seconds / 2))
            except (asyncio.TimeoutError, TimeoutError, ConnectionResetError):
                return ""

    async def _udp(self, probe: Probe) -> str:
        with self._socket(probe, socket.SOCK_DGRAM) as client:
            client.connect((probe.address, probe.port))
            client.send(b"sluice\n")
            return _line(await asyncio.get_running_loop().sock_recv(client, _RECEIVE_MAX))

    def _socket(self, probe: Probe, kind: int, protocol: int = 0) -> socket.socket:
        descriptor = self._namespaces[probe.source]
        with nullcontext() if descriptor is None else inside(descriptor):
            made = socket.socket(_family(probe), kind, protocol)
        made.setblocking(False)
        return made


def _may_differ(probe: Probe, answer: Answer) -> bool:
    """Whether another try may show something else: a lost packet, an address that was not resolved in time, or a server that is slow to say
    who it is on a connection that its kernel has taken."""
    return answer.outcome in (TIMED_OUT, UNREACHABLE) or (answer.outcome == OPEN and not answer.seen and probe.protocol != "icmp")


def _telling(answer: Answer) -> Tuple[int, bool]:
    """What got through once got through, whatever became of the other tries."""
    return (TIMED_OUT, UNREACHABLE, REFUSED, TOO_BIG, OPEN).index(answer.outcome), bool(answer.seen)


def _family(probe: Probe) -> int:
    return socket.AF_INET6 if ":" in probe.address else socket.AF_INET


def _line(data: bytes) -> str:
    return data.decode(errors="replace").partition("\n")[0]


def _outcome(error: OSError) -> str:
    if error.errno == errno.ECONNREFUSED:
        return REFUSED
    if error.errno == errno.EMSGSIZE:
        return TOO_BIG
    if error.errno == errno.ETIMEDOUT:
        return TIMED_OUT
    return UNREACHABLE


def parse_probes(given: Sequence[Mapping[str, Any]]) -> List[Probe]:
    """Raises InputError with every probe that cannot be sent."""
    problems: List[Problem] = []
    probes = []
    for number, fields in enumerate(given):
        probe = Probe(**fields)
        probes.append(probe)
        problems += [Problem("", "", f"probes[{number}].{path}", message, expected) for path, message, expected in _faults(probe)]
    if problems:
        raise InputError(problems)
    return probes


def _faults(probe: Probe) -> Iterator[Tuple[str, str, str]]:
    try:
        version = ipaddress.ip_address(probe.address).version
    except ValueError:
        yield "address", f"{probe.address!r} is not an address", "an IPv4 or IPv6 address"
        return
    if probe.protocol != "icmp" and not 0 < probe.port < 65536:
        yield "port", f"{probe.port} is not a port", "1 to 65535"
    if probe.size and (probe.protocol != "icmp" or not SIZE_MIN[version] <= probe.size <= SIZE_MAX):
        yield "size", f"{probe.size} bytes cannot be sent", f"{SIZE_MIN[version]} to {SIZE_MAX}, with protocol icmp"
