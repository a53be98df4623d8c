# SPDX-License-Identifier: Apache-2.0
"""Connections to endpoints that a Service no longer has.

UDP has no end of a connection, so a client that goes on sending keeps its entry, and goes on being sent to an endpoint that is gone.
Forgotten, its next packet is a new connection, and is balanced among the endpoints that there are.
"""
from __future__ import annotations

import re
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple

from ..errors import SluiceError
from ..ovs.unixctl import Control

_PROTOCOLS = {"udp": 17, "sctp": 132}
"""Protocols without an end, or whose end a client may never hear of; TCP's clients are told by a reset."""

_NAT = re.compile(r"nat\(dst=(\[[0-9a-fA-F:.]+\]|[0-9.]+):(\d+)")
_MARK = re.compile(r"set_field:(\w+)(?:/\w+)?->ct_mark|load:(\w+)->NXM_NX_CT_MARK")
_ENTRY = re.compile(r"(\w+),orig=\(src=([^,]+),dst=([^,]+),sport=(\d+),dport=(\d+)\),reply=\(src=([^,]+),dst=[^,]+,sport=(\d+),dport=\d+\)(.*)")
_ENTRY_MARK = re.compile(r",mark=(\d+)")


class Backend(NamedTuple):
    """An endpoint of the Service whose connections have the mark."""

    mark: int
    address: str
    port: int


class Entry(NamedTuple):
    """A connection as it was opened, and the backend that it was translated to."""

    protocol: str
    source: str
    destination: str
    source_port: int
    destination_port: int
    backend: Backend


def backends(lines: Iterable[str]) -> set[Backend]:
    """The endpoints to which flows or groups in ovs-ofctl's syntax translate: each ``nat(dst=…)`` with the mark that its ``ct`` sets."""
    found = set()
    for line in lines:
        if "nat(dst=" not in line:
            continue
        # Each ct action commits one connection, and has one nat and one mark.
        for action in line.split("ct(")[1:]:
            nat, mark = _NAT.search(action), _MARK.search(action)
            if nat and mark:
                found.add(Backend(int(mark[1] or mark[2], 0), nat[1].strip("[]"), int(nat[2])))
    return found


def parse_entries(dump: str) -> Iterator[Entry]:
    """The entries of Services, of protocols that this is about, in what ``dpctl/dump-conntrack`` prints."""
    for line in dump.splitlines():
        match = _ENTRY.match(line)
        mark = _ENTRY_MARK.search(match[8]) if match else None
        if match and mark and match[1] in _PROTOCOLS:
            yield Entry(match[1], match[2], match[3], int(match[4]), int(match[5]), Backend(int(mark[1]), match[6], int(match[7])))


def stale(entries: Iterable[Entry], gone: set[Backend]) -> list[Entry]:
    """The entries whose backend is one of those that are gone."""
    return [entry for entry in entries if entry.backend in gone]


def flush_removed(address: str, zone: int, removed: Iterable[str], kept: Iterable[str], check: bool = False, timeout: float = 10.0) -> int:
    """Removes the entries of backends that are in the lines ``removed`` of flows and groups, and not in ``kept``; gives their number.

    The flows have to be in effect (ovs/in_effect.py): a packet that met the old ones would make its entry anew.
    Where no backend went, conntrack is not even looked at: listing it keeps ovs-vswitchd busy.

    :param address: where the bridge is managed; the control socket is beside it
    :param check: only count
    :raises SluiceError: the flows are as wanted and the entries are still there
    """
    gone = backends(removed)
    gone = gone and gone - backends(kept)
    if not gone:
        return 0
    kind, _colon, path = address.partition(":")
    try:
        if kind != "unix":
            raise SluiceError(f"{address} is not a Unix socket, so there is no control socket beside it")
        return flush(str(Path(path).parent), zone, gone, check, timeout)
    except SluiceError as error:
        raise SluiceError(f"the flows are as wanted, but the connections to {len(gone)} backends that are gone could not be removed from "
                          f"conntrack: {error}. On the node, `ovs-appctl dpctl/flush-conntrack zone={zone}` ends all of the zone") from None


def flush(directory: str, zone: int, gone: set[Backend], check: bool = False, timeout: float = 10.0) -> int:
    """Removes the entries in ``zone`` of backends that are gone; how many they were. With ``check`` it only counts.

    Entries are named by their whole tuple, which every version of Open vSwitch and both datapaths take.

    :param directory: where ovs-vswitchd's control socket is
    :raises SluiceError: ovs-vswitchd cannot be reached or refuses
    """
    count = 0
    with Control(directory, timeout) as control:
        datapaths = control.run("dpctl/dump-dps").split()
        # The only one is not named: Open vSwitch 3.1 takes the name for a malformed tuple when it flushes.
        named = [[]] if len(datapaths) == 1 else [[datapath] for datapath in datapaths]
        for where in [[*name, f"zone={zone}"] for name in named]:
            entries = stale(parse_entries(control.run("dpctl/dump-conntrack", *where)), gone)
            count += len(entries)
            for entry in [] if check else entries:
                _remove(control, where, entry)
    return count


def _remove(control: Control, where: list[str], entry: Entry) -> None:
    ip = "ct_ipv6" if ":" in entry.source else "ct_nw"
    words = f"{ip}_src={entry.source},{ip}_dst={entry.destination},ct_nw_proto={_PROTOCOLS[entry.protocol]}"
    try:
        control.run("dpctl/flush-conntrack", *where, f"{words},ct_tp_src={entry.source_port},ct_tp_dst={entry.destination_port}")
    except SluiceError as error:
        # Its time was over meanwhile.
        if "No such" not in str(error):
            raise
