# SPDX-License-Identifier: Apache-2.0
"""What a program's text was encoded to, kept on the node: the same text need not be encoded again, and of another one only new lines.

The text stays what is given, reviewed and applied. A kept encoding holds the very text that it is of, and is of use only to the encoder
that made it, for the same tables and owner; anything else about the file, damage included, and everything is encoded anew.
"""
from __future__ import annotations

import mmap
import struct
import zlib
from itertools import accumulate

from .openflow.groups import decode_group_descs, encode_group_desc
from .openflow.messages import add_flow
from .openflow.meters import decode_meter_descs, encode_meter_desc
from .program import Owner, Program

TYPE_CHECKING = False  # to import typing takes as long as much else that is done here
if TYPE_CHECKING:
    from typing import Iterable, Mapping, Optional, TypeVar

    from .openflow.groups import Group

    _Bytes = TypeVar("_Bytes", bytes, memoryview)

#: To be raised with every change of what a text is encoded to.
ENCODING = 1

FOLDER = "/var/lib/sluice/encoded"

# A checksum of all that follows; the lengths of the parts.
_HEADER = struct.Struct("!I9I")
# Writing it all anew takes longer than encoding a few lines again the next time.
_FEW_LINES = 100


class _Parts:
    """What the file has, in this order: who encoded, and for which tables and owner; the texts; the length of each of the flows (2 bytes);
    the flows; the messages that add them all; the groups and the meters, as the switch describes them.
    """

    def __init__(self, identity: memoryview, flow_text: memoryview, group_text: memoryview, meter_text: memoryview, lengths: memoryview,
                 flows: memoryview, messages: memoryview, groups: memoryview, meters: memoryview) -> None:
        self.identity = identity
        self.texts = (bytes(flow_text), bytes(group_text), bytes(meter_text))
        self.lengths = lengths
        self.flows = bytes(flows)
        self.messages = messages
        self.groups = bytes(groups)
        self.meters = bytes(meters)


def kept_path(bridge: str, owner: Owner) -> str:
    """Where the encoding of an owner's program for a bridge is kept."""
    return f"{FOLDER}/{bridge}-{owner.value:016x}"


class KeptEncoding:
    """The encoding in the file at ``path``, for these tables and this owner."""

    def __init__(self, path: str, tables: Mapping[int, str], owner: Owner) -> None:
        self._path = path
        self._tables = tables
        self._owner = owner
        self._identity = f"sluice encoding {ENCODING} for {owner} tables {sorted(tables.items())}".encode()
        self._kept = self._read()
        self._unsaved: Optional[tuple[tuple[bytes, bytes, bytes], Program]] = None

    def encode(self, flows: Optional[str], groups: Optional[str] = None, meters: Optional[str] = None) -> Program:
        """What `encode_program` gives of the lines of these texts. Raises InputError as it does."""
        texts = ((flows or "").encode(), (groups or "").encode(), (meters or "").encode())
        kept = self._kept
        if kept and texts == kept.texts:
            return Program(dict.fromkeys(_flows(kept)), None if groups is None else decode_group_descs(kept.groups),
                           None if meters is None else decode_meter_descs(kept.meters), kept.messages)
        # Imported here, since what was encoded before needs none of it.
        from .encode import NOTHING_KNOWN, Known, encode_program

        known = Known(*_known(kept)) if kept else NOTHING_KNOWN
        lines, group_lines, meter_lines = (None if text is None else text.splitlines() for text in (flows, groups, meters))
        program = encode_program(lines or (), group_lines, meter_lines, self._tables, self._owner, known)
        if len(set(lines or ()) - known.flows.keys()) + len(set(group_lines or ()) - known.groups.keys()) > _FEW_LINES:
            self._unsaved = texts, program
        return program

    def save(self) -> None:
        """Keep what was encoded, if that is worth it. That it cannot be written is no error: the file only saves time."""
        if self._unsaved is None:
            return
        texts, program = self._unsaved
        flows, groups, meters = program.flows, program.groups or {}, program.meters or {}
        parts = [self._identity, *texts, struct.pack(f"!{len(flows)}H", *map(len, flows)), b"".join(flows),
                 b"".join([add_flow(desc, xid) for xid, desc in enumerate(flows, 1)]),
                 b"".join([encode_group_desc(*item) for item in groups.items()]),
                 b"".join([encode_meter_desc(*item) for item in meters.items()])]
        content = b"".join([struct.pack("!9I", *map(len, parts)), *parts])
        from pathlib import Path

        path = Path(self._path)
        temporary = path.with_name(f"{path.name}.new")
        try:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            temporary.write_bytes(zlib.crc32(content).to_bytes(4, "big") + content)
            temporary.replace(path)
        except OSError:
            pass

    def _read(self) -> Optional[_Parts]:
        """What the file has; None if it is not there, damaged, or of another encoder."""
        try:
            with open(self._path, "rb") as file:  # noqa: PTH123 - pathlib takes longer to import than the file to read
                content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError):  # ValueError: it is empty
            return None
        if len(content) < _HEADER.size:
            return None
        checksum, *lengths = _HEADER.unpack_from(content)
        # It may have been cut short or not been written at all when the power failed, and nothing waits for it on the disk.
        if zlib.crc32(content[4:]) != checksum:
            return None
        parts = _Parts(*_split(content, lengths, _HEADER.size))
        return parts if parts.identity == self._identity else None


def _split(content: _Bytes, lengths: Iterable[int], start: int = 0) -> list[_Bytes]:
    ends = list(accumulate(lengths, initial=start))
    return [content[start:end] for start, end in zip(ends, ends[1:])]


def _flows(kept: _Parts) -> list[bytes]:
    return _split(kept.flows, struct.unpack(f"!{len(kept.lengths) // 2}H", kept.lengths))


def _known(kept: _Parts) -> tuple[dict[str, bytes], dict[str, tuple[int, Group]]]:
    from .encode import has_entry

    lines, group_lines = ([line for line in text.decode().splitlines() if has_entry(line)] for text in kept.texts[:2])
    return dict(zip(lines, _flows(kept))), dict(zip(group_lines, decode_group_descs(kept.groups).items()))
