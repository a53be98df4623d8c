# SPDX-License-Identifier: Apache-2.0
"""What the switch shall be: what is there, with what is wanted put in and what is to go taken out. Pure.

What stays as it is stays the same object, so that a difference is found by looking at what is not.
"""
from __future__ import annotations

from typing import AbstractSet, Any, Dict, Mapping, NamedTuple, Optional, Set, Tuple

from ...errors import Problem
from .config import Wanted, interfaces_of
from .record import KEYS_PREFIX, OWNER_KEY, Record, Row, Switch, child_row, has_owner, kept_keys, kept_keys_text, owner_of
from .schema import COLUMNS, TABLES, Child, Column
from .secrets import HIDDEN, SECRET_OPTIONS
from .values import EMPTY_VALUES, Values, empty

STATES = ("merged", "replaced", "overridden", "deleted")
"""Those that change a switch."""


class Intent(NamedTuple):
    """What a run wants, and for whom."""

    wanted: Wanted
    state: str
    owner: str
    adopt: bool = False
    """What is named and has no owner becomes the owner's."""
    doubts: Tuple[Problem, ...] = ()
    """What is wrong with it, but for a switch that has it so already."""

    @property
    def everything(self) -> bool:
        """Whether all that the owner made is to go."""
        return self.state == "deleted" and not self.wanted.values and not self.wanted.children

    @property
    def named_bridges(self) -> Mapping[str, Wanted]:
        return self.wanted.of("bridges")

    @property
    def named_ports(self) -> Set[str]:
        return {name for bridge in self.named_bridges.values() for name in bridge.of("ports")}

    def mine(self, record: Record, parents: bool = True) -> bool:
        """Whether the owner may remove it; where rows of its table cannot say who made them, whether it may its parent."""
        if not has_owner(record):
            return parents
        owner = owner_of(record)
        return owner == self.owner or (self.adopt and owner is None)


def target(intent: Intent, have: Switch) -> Switch:
    """The whole switch as it shall be; rows that are new in it have no UUID.

    merged: what is named exists, with the values given. replaced: also, what is named is exactly as given, if the owner made it.
    overridden: also, what the owner made and is not named goes. deleted: what is named goes if the owner made it; naming nothing means
    all of it.
    """
    maker = _Maker(intent)
    root = have.root
    if intent.state == "deleted":
        return have._replace(root=maker.purged(root) if intent.everything else maker.without(root, intent.wanted))
    exact = intent.state != "merged"
    bridges = maker.bridges(have.bridges)
    others = [child for child in TABLES["Open_vSwitch"].children if child.key != "bridges"]
    for child in others:
        if child.key in intent.wanted.children or intent.state == "overridden":
            root = maker.with_child(root, child, intent.wanted, exact)
    if bridges is not have.bridges:
        root = root.with_children("bridges", _without_dangling(have.bridges, bridges))
    return have._replace(root=maker.with_values(root, intent.wanted, exact, all_columns=intent.state == "overridden"))


def _without_dangling(have: Mapping[str, Record], goal: Mapping[str, Record]) -> Mapping[str, Record]:
    """The bridges, with mirrors that do not name a port that goes: ovsdb-server takes it out of them (RFC 7047 section 3.2, weak references)."""
    gone = {port for bridge in have.values() for port in bridge.of("ports")} - {port for bridge in goal.values() for port in bridge.of("ports")}
    if not gone:
        return goal
    result = {}
    for name, bridge in goal.items():
        mirrors = {key: _with_values(mirror, {column: _without_names(value, gone) if COLUMNS["Mirror"][column].refers else value
                                              for column, value in mirror.values.items()}) for key, mirror in bridge.of("mirrors").items()}
        result[name] = _with_children(bridge, "mirrors", mirrors)
    return result


def _without_names(value: Any, gone: Set[str]) -> Any:
    if isinstance(value, tuple):
        return tuple(name for name in value if name not in gone)
    return None if value in gone else value


class _Maker:
    def __init__(self, intent: Intent) -> None:
        self._intent = intent
        self._owner = intent.owner
        self._exact = intent.state in ("replaced", "overridden")

    def bridges(self, have: Mapping[str, Record]) -> Mapping[str, Record]:
        """The bridges as they shall be; a port may come from another bridge."""
        left = self._survivors(have) if self._intent.state == "overridden" else have
        bridges = dict(left)
        places = {port: name for name, bridge in bridges.items() for port in bridge.of("ports")}
        for name, wanted in self._intent.named_bridges.items():
            bridge = bridges.get(name) or self._new_bridge(name)
            old = bridge.of("ports")
            ports = dict(old)
            if self._exact and name in old and name not in wanted.of("ports"):
                ports[name] = self._port(bridge.row, old[name], Wanted(name, path=wanted.path), name)
            for port, wanted_port in wanted.of("ports").items():
                source = places.get(port)
                if source not in (None, name):
                    origin = bridges[str(source)]
                    ports[port] = origin.of("ports")[port]
                    bridges[str(source)] = origin.with_children("ports", {key: item for key, item in origin.of("ports").items() if key != port})
                ports[port] = self._port(bridge.row, ports.get(port), wanted_port, name)
            bridges[name] = self._record("Bridge", _with_children(bridge, "ports", ports), bridge.row, wanted, but={"ports"})
        return have if _same(have, bridges) else dict(sorted(bridges.items()))

    def _survivors(self, have: Mapping[str, Record]) -> Mapping[str, Record]:
        """The bridges that stay, with the ports that stay in them."""
        intent, result = self._intent, {}
        named = intent.named_ports
        for name, bridge in have.items():
            if name in intent.named_bridges or owner_of(bridge) != self._owner:
                ports = {key: port for key, port in bridge.of("ports").items() if key == name or key in named or owner_of(port) != self._owner}
                result[name] = _with_children(bridge, "ports", ports)
        return result

    def _new_bridge(self, name: str) -> Record:
        row = Row("Bridge", name)
        interface = self._new(Row("Interface", name), {"type": "internal"})
        port = self._new(Row("Port", name), {})._replace(children={"interfaces": {name: interface}})
        return self._new(row, {})._replace(children={"ports": {name: port}})

    def _new(self, row: Row, values: Values) -> Record:
        mark = {"external_ids": {OWNER_KEY: self._owner}} if "external_ids" in COLUMNS[row.table] else {}
        return Record(row, {**EMPTY_VALUES[row.table], **values, **mark})

    def _port(self, bridge: Row, have: Optional[Record], wanted: Wanted, at: str) -> Record:
        row = have.row if have else Row("Port", wanted.key)
        record = self._record("Port", have, row, wanted, but={"interfaces"})
        if have and not self._exact and "interfaces" not in wanted.children:
            return record
        given, there = interfaces_of(wanted), record.of("interfaces")
        kept = {key: item for key, item in there.items() if not self._exact or key in given or not self._intent.mine(item)}
        for key, item in given.items():
            if key == at and (self._exact or key not in there):
                item = item._replace(values={"type": "internal", **item.values})  # The local port's type is no choice.
            kept[key] = self._record("Interface", there.get(key), Row("Interface", key), item)
        return _with_children(record, "interfaces", kept)

    def _record(self, table: str, have: Optional[Record], row: Row, wanted: Wanted, but: AbstractSet[str] = frozenset()) -> Record:
        made = self._made(table, have, row, wanted, but)
        return self._own(made) if have and have.shared and made is not have else made

    def _own(self, record: Record) -> Record:
        """What is instead of a row that others refer to, too: it will be rows of the owner's."""
        children = {key: {name: self._own(item) for name, item in records.items()} for key, records in record.children.items()}
        ids = record.values.get("external_ids")
        values = {**record.values, "external_ids": {**ids, OWNER_KEY: self._owner}} if isinstance(ids, dict) else record.values
        return record._replace(values=values, children=children)

    def _made(self, table: str, have: Optional[Record], row: Row, wanted: Wanted, but: AbstractSet[str]) -> Record:
        record = have or self._new(row, {})
        for child in TABLES[table].children:
            if child.key not in but and (self._exact or child.key in wanted.children):
                record = self.with_child(record, child, wanted, self._exact)
        return self.with_values(record, wanted, self._exact, all_columns=True)

    def with_child(self, record: Record, child: Child, wanted: Wanted, exact: bool) -> Record:
        """The record with its children of one kind made what is wanted."""
        old, given = record.of(child.key), wanted.of(child.key)
        nothing = child.key in wanted.children and wanted.children[child.key] is None
        kept = {key: item for key, item in old.items() if key in given or not ((exact or nothing) and self._may_go(record, child, wanted, item))}
        for key, item in given.items():
            kept[key] = self._record(child.table, old.get(key), child_row(record.row, child.table, child.key, key), item)
        return _with_children(record, child.key, kept)

    def _may_go(self, parent: Record, child: Child, wanted: Wanted, record: Record) -> bool:
        """Whether a child that is not named may be removed. The host is not adopted: only what is named of it."""
        if parent.row.table == "Open_vSwitch" and child.key not in wanted.children:
            return owner_of(record) == self._owner
        return self._intent.mine(record, self._intent.mine(parent))

    def with_values(self, record: Record, wanted: Wanted, exact: bool, all_columns: bool) -> Record:
        """The record with its columns made what is wanted: if ``exact``, also those not given, as far as ``all_columns`` says.

        Of a row that somebody else made, what is not given stays, less the keys that the owner put there.
        """
        own = exact and self._intent.mine(record)
        values, kept = dict(record.values), kept_keys(record.values, self._owner)
        before = set(kept)
        for column in TABLES[record.row.table].columns:
            given, is_shared = column.name in wanted.values, column.kind == "shared map"
            if not given and not ((exact if is_shared else own) and all_columns):
                continue
            value = wanted.values.get(column.name)
            if value is None and not values[column.name] and not kept:
                values[column.name] = empty(column)  # False and 0 are what a scalar holds in a new row, and not what an optional does.
            elif is_shared:
                values[column.name] = self._shared_map(column.name, values[column.name], value or {}, exact or (given and value is None), kept)
            else:
                values[column.name] = _column(column, values[column.name], value, own)
        return _with_values(record, self._marked(record, values, before, kept, named=True))

    def _shared_map(self, column: str, old: Any, given: Mapping[str, Any], exact: bool, kept: Set[Tuple[str, str]]) -> Dict[str, str]:
        """A map that others write into, too: of the keys not given, only those go that the owner put there. Keeps account in ``kept``."""
        new = dict(old)
        for key in [key for at, key in kept if at == column and exact and key not in given]:
            new.pop(key, None)
            kept.discard((column, key))
        for key, value in given.items():
            if value is None:
                new.pop(key, None)
                kept.discard((column, key))
            else:
                if old.get(key) != value or self._intent.adopt:
                    kept.add((column, key))
                new[key] = value
        return new

    def _marked(self, record: Record, values: Dict[str, Any], before: Set[Tuple[str, str]], kept: Set[Tuple[str, str]], named: bool) -> Dict[str, Any]:
        """With the account of the owner's keys, and of whose the row is."""
        if "external_ids" not in values:
            return values
        ids = dict(values["external_ids"])
        if kept != before:
            ids.pop(KEYS_PREFIX + self._owner, None)
            if kept:
                ids[KEYS_PREFIX + self._owner] = kept_keys_text(kept)
        if self._intent.adopt and named and record.row.table != "Open_vSwitch":
            ids.setdefault(OWNER_KEY, self._owner)
        return {**values, "external_ids": ids}

    def purged(self, record: Record) -> Record:
        """The record without what the owner put into it and below it."""
        kept = kept_keys(record.values, self._owner)
        values: Dict[str, Any] = dict(record.values)
        for column in {column for column, _key in kept}:
            values[column] = {key: value for key, value in values[column].items() if (column, key) not in kept}
        record = _with_values(record, self._marked(record, values, kept, set(), named=False))
        for child in TABLES[record.row.table].children:
            old = record.of(child.key)
            stay = {key: self.purged(item) for key, item in old.items()
                    if _is_local(record, child, key) or owner_of(item if has_owner(item) else record) != self._owner}
            record = _with_children(record, child.key, stay)
        return record

    def without(self, root: Record, wanted: Wanted) -> Record:
        """The host without what is named: a bridge named alone goes whole, one named with ports or other members loses these.

        Values given are no matter, save keys of the host: those that the owner put there and that still have the value.
        """
        values: Dict[str, Any] = dict(root.values)
        kept = kept_keys(values, self._owner)
        before = set(kept)
        for name, given in wanted.values.items():
            values[name] = self._without_keys(name, values[name], given or {}, kept)
        root = _with_values(root, self._marked(root, values, before, kept, named=False))
        for child in TABLES["Open_vSwitch"].children:
            stay = {}
            for key, record in root.of(child.key).items():
                named = wanted.of(child.key).get(key)
                if named is None:
                    stay[key] = record
                elif child.key == "bridges" and named.children:
                    stay[key] = self._without_members(record, named)
                elif not self._goes(root, child, key, record):
                    stay[key] = self.purged(record)
            root = _with_children(root, child.key, stay)
        return root

    def _without_members(self, bridge: Record, wanted: Wanted) -> Record:
        for child in TABLES["Bridge"].children:
            named = wanted.of(child.key)
            stay = {key: item for key, item in bridge.of(child.key).items() if key not in named or not self._goes(bridge, child, key, item)}
            bridge = _with_children(bridge, child.key, stay)
        return bridge

    def _without_keys(self, column: str, old: Any, given: Mapping[str, Any], kept: Set[Tuple[str, str]]) -> Dict[Any, Any]:
        """A shared map without the keys that have the value given, or any where None is, as far as the owner put them there or adopts them."""
        gone = {key for key, value in given.items() if key in old and value in (None, old[key]) and (self._intent.adopt or (column, key) in kept)}
        kept.difference_update({(column, key) for key in gone})
        return {key: value for key, value in old.items() if key not in gone}

    def _goes(self, parent: Record, child: Child, key: Any, record: Record) -> bool:
        """Whether a run that deletes takes what is named."""
        return not _is_local(parent, child, key) and self._intent.mine(record, self._intent.mine(parent))


def _is_local(parent: Record, child: Child, key: Any) -> bool:
    """Whether it is a bridge's local port, which goes with its bridge only."""
    return child.key == "ports" and key == parent.row.name


def _column(column: Column, old: Any, given: Any, exact: bool) -> Any:
    """A column's new value: the one given; a map with the keys given put in, and taken out where None is given, or exactly these."""
    if given is None:
        return empty(column)
    if "map" in column.kind:
        given = {key: old.get(key, value) if value == HIDDEN and key in SECRET_OPTIONS else value for key, value in given.items()}
        return {key: value for key, value in {**({} if exact else old), **given}.items() if value is not None}
    return given


def _with_values(record: Record, values: Mapping[str, Any]) -> Record:
    return record if values == record.values else record._replace(values=values)


def _with_children(record: Record, key: str, records: Mapping[Any, Record]) -> Record:
    return record if _same(record.of(key), records) else record.with_children(key, dict(sorted(records.items())))


def _same(old: Mapping[Any, Record], new: Mapping[Any, Record]) -> bool:
    return old.keys() == new.keys() and all(record is new[key] for key, record in old.items())
