# SPDX-License-Identifier: Apache-2.0
"""Makes a host what is wanted: read, plan, apply, read back. A run that fails half-way puts back what was there."""
from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import SluiceError
from .. import iproute, nft
from . import files, firewall, foreign, record, units, wireguard
from .announce import announce
from .describe import diff
from .model import RECORD_FILE, SYSCTL_FILE, Host, Link
from .parse import SECTIONS, parse, sysctl_file
from .plan import Plan, plan, prior, reverse, sysctl_order
from .read import read, sysctl_path

_PASSES = 3
"""One change may undo another (removing an IPv4 address removes its subnet's secondary ones; `all` sysctls write the interfaces')."""


@dataclass(frozen=True)
class Result:
    """``actions``: a line each; ``diff``: entries as Ansible has them; ``warnings``: what is left to people.
    All are the same in a dry run and in the run that follows."""

    changed: bool
    actions: list[str]
    diff: list[dict[str, str]]
    warnings: list[str] = field(default_factory=list)


def wait_for_links(names: list[str], seconds: float) -> None:
    """ovs-vswitchd makes internal ports a moment after the OVSDB transaction.

    :raises SluiceError: after ``seconds`` some are still missing
    """
    end = time.monotonic() + seconds
    while True:
        there = _link_names() if names else set()
        missing = [name for name in names if name not in there]
        if not missing:
            return
        if time.monotonic() >= end:
            raise SluiceError(f"no network interface named {', '.join(missing)} appeared within {seconds:g} s; "
                              "make it first (sluice.fabric.switch for a port of a bridge) and see that ovs-vswitchd runs")
        time.sleep(0.05)


def _link_names() -> set[str]:
    # Not /sys/class/net: that shows the network namespace in which it was mounted.
    return {line.partition(":")[0].strip() for line in Path("/proc/self/net/dev").read_text().splitlines()[2:]}


def _write_sysctl(key: str, value: str) -> None:
    try:
        sysctl_path(key).write_text(f"{value}\n")
    except FileNotFoundError as error:
        raise SluiceError(f"this kernel has no parameter {key}; is its module loaded, and the interface there?") from error
    except OSError as error:
        raise SluiceError(f"the kernel refused {key} = {value}: {error.strerror}") from error


def _apply(todo: Plan, root: Path) -> None:
    """Firewall before forwarding, forwarding before routes; in the other direction the firewall goes last."""
    units.stop(todo.units)
    for path in sorted(todo.files):
        file = todo.files[path]
        if file is None:
            files.remove(root, path)
        else:
            files.write(root, path, file)
    for table in sorted(todo.nftables):
        text = todo.nftables[table]
        if text is not None:
            nft.replace(table, text)
    firewall.change(todo.firewall, todo.files)
    for key in sysctl_order(todo.sysctl):
        _write_sysctl(key, todo.sysctl[key])
    wireguard.change(todo.wireguard, root)
    iproute.change(todo.ip_add)
    iproute.remove(todo.ip_remove)
    wireguard.remove(todo.wireguard)
    for table in sorted(todo.nftables):
        if todo.nftables[table] is None:
            nft.delete(table)


def _converge(want: Host, todo: Plan, root: Path) -> Host:
    """All but the units that start; gives what was read back.

    :raises SluiceError: a step failed, or what was read back is not what was wanted
    """
    for _pass in range(_PASSES):
        _apply(todo, root)
        have = read(want, root)
        todo = plan(replace(want, units={}), have)
        if not todo:
            return have
    raise SluiceError("the host did not stay as it was set; another program may manage it too. Still to do: " + "; ".join(todo.actions()))


def _announce_new(before: Host, after: Host) -> None:
    for name, link in after.links.items():
        known = before.links.get(name) or Link()
        new = [address for address in (link.addresses or () if link is not None else ()) if address not in (known.addresses or ())]
        if link is not None and link.mac and new:
            announce(name, link.mac, new)


def _start_units(want: Host, todo: Plan) -> None:
    """Last, because what they start uses all of the rest."""
    started = [name for name, unit in want.units.items() if unit is not None and unit.started]
    units.start(todo.units, todo.files, started)
    left = plan(Host(units=want.units), Host(units=units.read(want.units)))
    if left:
        raise SluiceError(f"{'; '.join(left.actions())} had no effect; see `systemctl status` and `journalctl -u` of the unit")


def _apply_or_reverse(want: Host, have: Host, todo: Plan, root: Path) -> None:
    try:
        _announce_new(have, _converge(want, todo, root))
        _start_units(want, todo)
    except SluiceError as error:
        back = reverse(want, have)
        try:
            half = read(back, root)
            _announce_new(half, _converge(back, plan(back, half), root))
        except SluiceError as second:
            raise SluiceError(f"{error}. Putting the host back as it was failed too: {second}") from error
        raise SluiceError(f"{error}. The host was put back as it was.") from error


def _without_gone_links(want: Host, have: Host, keep: frozenset[str] = frozenset()) -> Host:
    """``want`` without what belongs to links that are gone and not in ``keep``: there is nothing to put back on them."""
    gone = {name for name in want.links if have.links.get(name) is None and name not in keep}
    return replace(
        want,
        links={name: link for name, link in want.links.items() if name not in gone},
        routes=None if want.routes is None else tuple(route for route in want.routes if route.device not in gone),
        neighbours=None if want.neighbours is None else tuple(entry for entry in want.neighbours if entry.device not in gone),
    )


def present(config: Any, *, check: bool, root: Path = Path("/"), wait: float = 5.0, remember: bool = True) -> Result:
    """Makes this host what ``config`` (host.json) says, in the sections that it has.

    :param check: only say what would be done
    :param wait: seconds for the links to appear
    :param remember: keep what was there before in /var/lib/sluice, write the file of sysctls, and put back what earlier
        configurations named and this one does not
    :raises InputError: the configuration is wrong; nothing was touched
    :raises SluiceError: a step failed; the host is as it was before, or the message says what is not
    """
    wanted, sections = parse(config)
    if "sysctl" in sections and remember:
        wanted = replace(wanted, files={**wanted.files, SYSCTL_FILE: sysctl_file(wanted.sysctl)})
    known = (record.load(root) if remember else None) or record.Record()
    managers = firewall.active(root) if "firewall" in sections else frozenset()
    wanted = firewall.with_openings(wanted, managers, root, known.host)
    if not check:
        wait_for_links(sorted(set(wanted.links) - set(wanted.wireguard)), wait)
    wanted = replace(wanted, wireguard=wireguard.with_public_keys(wanted.wireguard, root, check))
    want = record.with_restored(wanted, known, sections) if remember else wanted
    have = read(want, root)
    want = _without_gone_links(want, have, frozenset(wanted.links))
    todo = plan(want, have)
    if not check:
        _check_nft(todo)
        if remember:
            made = files.missing_directories(root, [RECORD_FILE, *(path for path, file in todo.files.items() if file is not None)])
            known = record.merged(known, prior(wanted, have), made)
            _save_if_new(root, known)
        if todo:
            _apply_or_reverse(want, have, todo, root)
        if remember:
            _save_if_new(root, record.without_restored(known, want, wanted))
    warnings = [] if wanted.openings is None else foreign.warnings(wanted.openings, managers)
    return Result(bool(todo), todo.actions(), diff(want, have), warnings)


def absent(config: Any, *, check: bool, root: Path = Path("/")) -> Result:
    """Takes away all that Sluice ever made on this host, and puts back what was there before.

    ``config`` may be empty; it is of use where the record of what was before is lost: then what it names is removed.
    """
    named, _sections = parse(config)
    known = record.load(root)
    nothing: dict[str, None] = {}
    base = Host(
        routes=(), neighbours=(),
        wireguard=dict.fromkeys(named.wireguard) if known is None else nothing,
        nftables=dict.fromkeys(named.nftables, None) if known is None else nothing,
        files=dict.fromkeys((*named.files, SYSCTL_FILE), None) if known is None else nothing,
    )
    if known is None:
        base = firewall.without_openings(replace(base, openings=named.openings), root)
    want = record.with_restored(base, known or record.Record(), frozenset(SECTIONS))
    have = read(want, root)
    want = _without_gone_links(want, have)
    todo = plan(want, have)
    result = Result(bool(todo) or known is not None, todo.actions(), diff(want, have))
    if check:
        return result
    if todo:
        _apply_or_reverse(want, have, todo, root)
    if known is not None:
        record.remove(root, known)
    return result


def _check_nft(todo: Plan) -> None:
    for table, text in todo.nftables.items():
        if text is not None:
            nft.check(table, text)


def _save_if_new(root: Path, known: record.Record) -> None:
    if record.load(root) != known:
        record.save(root, known)
