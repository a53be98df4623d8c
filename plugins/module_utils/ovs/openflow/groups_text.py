# SPDX-License-Identifier: Apache-2.0
"""Groups: ovs-ofctl's text to bytes and back."""
from __future__ import annotations

import struct
from typing import Optional

from ...errors import SluiceError
from ..flow import split_tokens
from .actions import ActionEncoder
from .actions_text import ActionDecoder
from .fields import BY_HEADER, Field, field_named
from .groups import GROUP_MOD_HEADER, Group
from .messages import MAX_BODY
from .values import format_port, format_value, parse_number, parse_port, parse_value
from .wire import pad8

TYPES = ("all", "select", "indirect", "ff")
_TYPE_NAMES = {**{name: number for number, name in enumerate(TYPES)}, "fast_failover": 3}
_NETRONOME, _SELECTION_METHOD = 0x0000154D, 1
_METHODS = ("hash", "dp_hash")
_WEIGHT, _WATCH_PORT, _WATCH_GROUP, _EXPERIMENTER = 0, 1, 2, 0xFFFF
_LAST_GROUP = 0xFFFFFF00


def parse_group(text: str, encoder: ActionEncoder) -> tuple[int, Group]:
    """The id and the group that a line like ``group_id=5,type=select,bucket=actions=output:1`` describes.

    Raises SluiceError, which names what is wrong.
    """
    head, *buckets = _split_buckets(text)
    identifier: Optional[int] = None
    kind: Optional[int] = None
    method, parameter, fields = "", 0, b""
    for token in split_tokens(head):
        key, _separator, value = token.partition("=")
        if key == "group_id":
            identifier = parse_number(value, 32)
        elif key == "type":
            if value not in _TYPE_NAMES:
                raise SluiceError(f"'{token}' is not a type of group; expected one of {', '.join(_TYPE_NAMES)}")
            kind = _TYPE_NAMES[value]
        elif key == "selection_method":
            if value not in _METHODS:
                raise SluiceError(f"'{token}' is not a way to select; expected one of {', '.join(_METHODS)}")
            method = value
        elif key == "selection_method_param":
            parameter = parse_number(value, 64)
        elif token.startswith("fields(") and token.endswith(")"):
            fields = _encode_fields(token[7:-1])
        elif key == "fields":
            fields = _encode_fields(value)
        else:
            raise SluiceError(f"'{token}' is not a property of a group")
    if identifier is None or kind is None or identifier >= _LAST_GROUP:
        raise SluiceError("a group needs 'group_id=' (below 0xffffff00) and 'type='")
    if kind == 2 and len(buckets) != 1:
        raise SluiceError("an indirect group has exactly one bucket")
    if (method or fields or parameter) and kind != 1:
        raise SluiceError("only a select group has a selection method")
    properties = b""
    if method:
        body = struct.pack("!II4x16sQ", _NETRONOME, _SELECTION_METHOD, method.encode(), parameter) + fields
        properties = pad8(struct.pack("!HH", _EXPERIMENTER, 4 + len(body)) + body)
    group = (kind, _encode_buckets(buckets, kind, encoder), properties)
    if GROUP_MOD_HEADER + len(group[1]) + len(properties) > MAX_BODY:
        raise SluiceError(f"group {identifier} has {len(buckets)} buckets, whose actions do not fit into an OpenFlow message, which has at most "
                          "65535 bytes; spread them over several groups")
    return identifier, group


def format_group(identifier: int, group: Group, decoder: ActionDecoder) -> str:
    """The group as one line, as ovs-ofctl dumps it."""
    kind, buckets, properties = group
    parts = [f"group_id={identifier}", f"type={TYPES[kind] if kind < len(TYPES) else kind}"]
    if properties:
        method, parameter, fields = _decode_selection(properties)
        parts.append(f"selection_method={method}")
        parts += [f"selection_method_param={parameter}"] if parameter else []
        parts += [f"fields={fields[0]}" if len(fields) == 1 else f"fields({','.join(fields)})"] if fields else []
    position = 0
    while position + 8 <= len(buckets):
        length, actions_length, bucket = struct.unpack_from("!HHI", buckets, position)
        actions_end = position + 8 + actions_length
        attributes = _decode_bucket_properties(buckets[actions_end:position + length], kind)
        actions = decoder.actions(buckets[position + 8:actions_end]) or ("drop",)
        parts.append(",".join([f"bucket=bucket_id:{bucket}", *attributes, f"actions={','.join(actions)}"]))
        position += length
    return ",".join(parts)


def _split_buckets(text: str) -> list[str]:
    """The group's own part, then one part a bucket. ``bucket=`` cannot occur in actions, so a plain split does."""
    return [part.strip(" ,\t") for part in text.replace("buckets=", "bucket=").split("bucket=")]


def _encode_buckets(buckets: list[str], kind: int, encoder: ActionEncoder) -> bytes:
    parsed = [_parse_bucket(text, encoder) for text in buckets]
    taken = [bucket for bucket, *_encoded in parsed if bucket is not None]
    if len(set(taken)) < len(taken):
        raise SluiceError("two buckets have the same bucket_id")
    encoded = b""
    free = 0
    for bucket, weight, watch, actions in parsed:
        if bucket is None:
            while free in taken:
                free += 1
            bucket = free
            free += 1
        properties = b""
        if kind == 1:
            properties += struct.pack("!HHH2x", _WEIGHT, 8, 1 if weight is None else weight)
        elif weight is not None:
            raise SluiceError("only a bucket of a select group has a weight")
        if kind == 3 and not watch:
            raise SluiceError("a bucket of a fast failover group needs watch_port or watch_group")
        properties += watch
        if 8 + len(actions) + len(properties) > MAX_BODY:
            raise SluiceError(f"the actions of bucket {bucket} do not fit into an OpenFlow message, which has at most 65535 bytes")
        encoded += struct.pack("!HHI", 8 + len(actions) + len(properties), len(actions), bucket) + actions + properties
    return encoded


def _parse_bucket(text: str, encoder: ActionEncoder) -> tuple[Optional[int], Optional[int], bytes, bytes]:
    """Id, weight, watch properties and actions."""
    bucket = weight = None
    watch = {_WATCH_PORT: b"", _WATCH_GROUP: b""}
    head, found, tail = text.partition("actions=")
    actions = list(split_tokens(tail)) if found else []
    for token in split_tokens(head):
        key, _separator, value = token.replace("=", ":", 1).partition(":")
        if key == "bucket_id":
            bucket = parse_number(value, 32)
        elif key == "weight":
            weight = parse_number(value, 16)
        elif key == "watch_port":
            watch[_WATCH_PORT] = struct.pack("!HHI", _WATCH_PORT, 8, parse_port(value))
        elif key == "watch_group":
            watch[_WATCH_GROUP] = struct.pack("!HHI", _WATCH_GROUP, 8, parse_number(value, 32))
        else:
            actions.append(token)
    return bucket, weight, b"".join(watch.values()), encoder.actions(tuple(actions))


def _encode_fields(text: str) -> bytes:
    encoded = b""
    for token in split_tokens(text):
        name, equals, value = token.partition("=")
        field = field_named(name)
        full = (1 << field.bits) - 1
        mask = parse_value(field, value)[0] if equals else full
        encoded += field.oxm.to_bytes(4, "big") + mask.to_bytes(field.bytes, "big")
    return encoded


def _decode_selection(properties: bytes) -> tuple[str, int, list[str]]:
    length, = struct.unpack_from("!H", properties, 2)
    name, parameter = struct.unpack_from("!16sQ", properties, 16)
    position = 40
    fields = []
    while position + 4 <= length:
        header, = struct.unpack_from("!I", properties, position)
        size = header & 0xFF
        fields.append(_selected(BY_HEADER.get(header), header, int.from_bytes(properties[position + 4:position + 4 + size], "big")))
        position += 4 + size
    return name.rstrip(b"\0").decode(errors="replace"), parameter, fields


def _selected(field: Optional[Field], header: int, mask: int) -> str:
    if field is None:
        return f"?{header:08x}"
    full = (1 << field.bits) - 1
    return field.name if mask == full else f"{field.name}={format_value(field, mask, full)}"


def _decode_bucket_properties(properties: bytes, kind: int) -> list[str]:
    attributes = []
    position = 0
    while position + 8 <= len(properties):
        which, length, value = struct.unpack_from("!HHI", properties, position)
        if which == _WEIGHT and kind == 1:
            attributes += [f"weight:{value >> 16}"] if value >> 16 != 1 else []
        elif which == _WATCH_PORT:
            attributes.append(f"watch_port:{format_port(value)}")
        elif which == _WATCH_GROUP:
            attributes.append(f"watch_group:{value}")
        position += max(length, 8)
    return attributes
