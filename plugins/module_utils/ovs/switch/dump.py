# SPDX-License-Identifier: Apache-2.0
"""A switch as people save it, as ``config``: a dump or a backup of its database, the database's file, or what ovs-vsctl shows. Pure."""
from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterable, Iterator, List, Tuple

from ...errors import SluiceError
from .contents import Contents, RawRow, config_from, is_reference
from .database_file import contents_of_file
from .show import UUID, config_from_show

Config = Dict[str, Any]

CAPTION = re.compile(r"(\w+) table")
SPACE = re.compile(r"\s*")

ACCEPTED = ("what one of these prints: `ovsdb-client dump --format=json Open_vSwitch`, `ovsdb-client backup Open_vSwitch`, `ovs-vsctl show`, "
            "or the file conf.db itself")


def switch_from_text(text: str) -> Config:
    """``config`` that describes a saved switch; raises SluiceError that says as what the text was read, and at which line it is wrong."""
    start = text.lstrip()
    first = start.split("\n", 1)[0].strip()
    if start.startswith("OVSDB JSON "):
        return config_from(contents_of_file(text), "a database file")
    if start[:1] in ("{", "["):
        return switch_from_tables(_json_values(text))
    if UUID.fullmatch(first):
        return config_from_show(text)
    raise SluiceError(f"{_what_it_is(start, first)}; give {ACCEPTED}")


def switch_from_tables(tables: Iterable[Any]) -> Config:
    """The same for what ``ovsdb-client dump --format=json`` prints, with each table's JSON parsed already."""
    columns: Dict[str, List[str]] = {}
    rows: Dict[str, Dict[str, RawRow]] = {}
    for number, table in enumerate(tables, 1):
        name, headings, data = _table(table, number)
        columns[name] = [heading for heading in headings if heading != "_uuid"]
        rows[name] = {}
        for cells in data:
            if not isinstance(cells, list) or len(cells) != len(headings):
                raise SluiceError(f"read as a dump, table {name}: a row has not as many cells as there are headings")
            row = dict(zip(headings, cells))
            uuid = row.pop("_uuid", None)
            if not is_reference(uuid):
                raise SluiceError(f"read as a dump, table {name}: a row has no _uuid; dump the table with all its columns")
            rows[name][uuid[1]] = row
    return config_from(Contents(columns, rows), "a dump")


def _what_it_is(start: str, first: str) -> str:
    """Why a text is not taken, as far as it is known."""
    if not start:
        return "the text is empty"
    if start.startswith("OVSDB CLUSTER "):
        return "line 1: this is the file of a clustered database, which Open_vSwitch never is"
    if CAPTION.fullmatch(first):
        return "line 1: this is a dump for people to read, which cannot be read back"
    return f"line 1: {first[:60]!r} begins nothing that is known here"


def _json_values(text: str) -> Iterator[Any]:
    """JSON values one after the other; an array stands for its elements."""
    decoder = json.JSONDecoder()
    position = SPACE.match(text, 0).end()  # type: ignore[union-attr]
    while position < len(text):
        try:
            value, position = decoder.raw_decode(text, position)
        except ValueError as error:
            at = getattr(error, "pos", position)
            raise SluiceError(f"read as JSON, line {text.count(chr(10), 0, at) + 1}: {getattr(error, 'msg', error)}; give {ACCEPTED}") from error
        yield from value if isinstance(value, list) else [value]
        position = SPACE.match(text, position).end()  # type: ignore[union-attr]


def _table(table: Any, number: int) -> Tuple[str, List[str], List[Any]]:
    if isinstance(table, dict):
        caption, headings, data = CAPTION.fullmatch(str(table.get("caption"))), table.get("headings"), table.get("data")
        if caption and isinstance(data, list) and isinstance(headings, list) and all(isinstance(item, str) for item in headings):
            return caption[1], headings, data
    raise SluiceError(f"read as JSON, value {number}: it is not a table with caption, headings and data; give {ACCEPTED}")
