# SPDX-License-Identifier: Apache-2.0
"""Meters: ovs-ofctl's text to bytes and back."""
from __future__ import annotations

import struct

from ...errors import SluiceError
from ..flow import split_tokens
from .meters import BURST, Meter
from .values import parse_number

_FLAGS = {"kbps": 1, "pktps": 2, "burst": BURST, "stats": 8}
_DROP, _REMARK = 1, 2
_BAND_TYPES = {"drop": _DROP, "dscp_remark": _REMARK}
_RESERVED = {"slowpath": 0xFFFFFFFD, "controller": 0xFFFFFFFE}


def parse_meter(text: str) -> tuple[int, Meter]:
    """The id and the meter that a line like ``meter=5 kbps burst bands=type=drop rate=1000 burst_size=50`` describes.

    Raises SluiceError, which names what is wrong.
    """
    head, _separator, bands_text = text.replace("bands=", "band=", 1).partition("band=")
    identifier = None
    flags = 0
    for token in split_tokens(head):
        key, _separator, value = token.partition("=")
        if key == "meter":
            identifier = _RESERVED.get(value) or parse_number(value, 32)
        elif token in _FLAGS:
            flags |= _FLAGS[token]
        else:
            raise SluiceError(f"'{token}' is not a property of a meter")
    if not identifier:
        raise SluiceError("a meter needs 'meter=' with a number above 0")
    if flags & 3 == 3:
        raise SluiceError("a meter counts in kbps or in pktps, not in both")
    if not flags & 3:
        raise SluiceError("a meter needs 'kbps' or 'pktps'")
    bands = bands_text.replace("band=", " ").replace("type=", "\n").split("\n")[1:]
    if not bands:
        raise SluiceError("a meter needs a band, like band=type=drop rate=1000")
    return identifier, (flags, b"".join(_parse_band(band, flags) for band in bands))


def format_meter(identifier: int, meter: Meter) -> str:
    """The meter as one line, as ovs-ofctl takes it."""
    flags, bands = meter
    words = [f"meter={identifier}", *(name for name, bit in _FLAGS.items() if flags & bit)]
    texts = []
    for start in range(0, len(bands), 16):
        kind, _length, rate, burst, level = struct.unpack_from("!HHIIB", bands, start)
        name = next((name for name, number in _BAND_TYPES.items() if number == kind), str(kind))
        text = f"type={name} rate={rate}"
        text += f" burst_size={burst}" if flags & BURST else ""
        texts.append(text + (f" prec_level={level}" if kind == _REMARK else ""))
    return f"{' '.join(words)} bands={' '.join(texts)}"


def _parse_band(text: str, flags: int) -> bytes:
    kind_text, *rest = split_tokens(text)
    if kind_text not in _BAND_TYPES:
        raise SluiceError(f"'type={kind_text}' is not a type of band; expected one of {', '.join(_BAND_TYPES)}")
    numbers = {"rate": 0, "burst_size": 0, "prec_level": 0}
    for token in rest:
        key, _separator, value = token.partition("=")
        if key not in numbers:
            raise SluiceError(f"'{token}' is not a property of a band")
        numbers[key] = parse_number(value, 8 if key == "prec_level" else 32)
    if not numbers["rate"]:
        raise SluiceError("a band needs 'rate=' above 0")
    if numbers["burst_size"] and not flags & BURST:
        raise SluiceError("'burst_size=' needs the flag 'burst' on the meter")
    return struct.pack("!HHIIB3x", _BAND_TYPES[kind_text], 16, numbers["rate"], numbers["burst_size"], numbers["prec_level"])
