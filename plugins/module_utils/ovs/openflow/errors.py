# SPDX-License-Identifier: Apache-2.0
"""What a switch's error messages say, in words (OpenFlow 1.5.1 §7.5.4)."""
from __future__ import annotations

_TYPES = {
    0: "it does not speak our version", 1: "bad request", 2: "bad action", 3: "bad instruction", 4: "bad match", 5: "flow refused",
    6: "group refused", 12: "meter refused", 17: "bundle refused", 0xFFFF: "refused by an extension"}

_CODES = {
    (1, 5): "no permission", (1, 6): "bad length", (1, 9): "bad table",
    (2, 0): "unknown type", (2, 1): "bad length", (2, 4): "bad output port", (2, 5): "bad argument", (2, 6): "no permission",
    (2, 7): "too many actions", (2, 9): "the group does not exist", (2, 10): "the match lacks what the action needs (e.g. tcp for tcp_dst)",
    (2, 11): "unsupported order", (2, 12): "bad tag", (2, 13): "a field that cannot be set", (2, 14): "bad length of a field to set",
    (2, 15): "bad value of a field to set", (2, 16): "bad mask of a field to set", (2, 17): "the meter does not exist",
    (3, 0): "unknown instruction", (3, 2): "the table to go to does not exist or is not a later one", (3, 3): "unsupported metadata",
    (4, 2): "bad tag", (4, 4): "bad address mask", (4, 5): "bad wildcards", (4, 6): "unsupported field", (4, 7): "unsupported value",
    (4, 8): "unsupported mask", (4, 9): "a field lacks what it needs before it (e.g. tcp for tcp_dst)", (4, 10): "a field is matched twice",
    (5, 0): "unknown reason", (5, 1): "the table is full", (5, 2): "the table does not exist", (5, 3): "it overlaps another flow",
    (5, 4): "no permission", (5, 5): "bad timeout", (5, 7): "bad flags",
    (6, 0): "the group exists already", (6, 1): "invalid group", (6, 3): "too many groups", (6, 4): "too many buckets",
    (6, 7): "it would make a loop", (6, 8): "the group does not exist", (6, 10): "bad type", (6, 12): "bad bucket",
    (6, 13): "bad watch port or group", (6, 16): "the bucket exists already",
    (12, 1): "the meter exists already", (12, 2): "invalid meter", (12, 3): "the meter does not exist", (12, 5): "bad flags",
    (12, 6): "bad rate", (12, 7): "bad burst size", (12, 8): "bad band", (12, 10): "too many meters", (12, 11): "too many bands",
    (17, 10): "a message that cannot be in a bundle", (17, 13): "one of its messages failed", (17, 14): "timeout"}

_EXPERIMENTER = 0xFFFF


def describe_error(body: bytes) -> str:
    """The body of an ERROR message in words, with its numbers, so that it can be looked up."""
    kind, code = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")
    words = _CODES.get((kind, code), f"code {code}")
    detail = f"type {kind}, code {code}"
    if kind == _EXPERIMENTER:
        detail += f" of experimenter {body[4:8].hex()}"
    return f"{_TYPES.get(kind, 'error')}: {words} (OpenFlow error {detail})"
