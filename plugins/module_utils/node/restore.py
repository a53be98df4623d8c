# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function  # a command line, not an Ansible module
"""Puts back what a restart of the node or of ovs-vswitchd takes away: flows, and (with the userspace datapath, whose ports vanish with
the daemon) the ports' addresses and routes. Bridges and ports themselves are in the OVSDB.

Fails closed: the bridge has ``fail_mode=secure``, so it forwards nothing until its flows are there; the gateway is down and without
addresses until its firewall is there. Both are applied by the code that the modules use, so running this at any time changes nothing
that is as it should be.
"""
from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Callable, Mapping

from ..errors import SluiceError
from ..ovs.encode import encode_program
from ..ovs.flow_apply import Plan, apply_program
from ..ovs.kept import KeptEncoding, kept_path
from ..ovs.openflow.connection import Connection, socket_address
from ..ovs.program import Owner, parse_tables
from ..pipeline.cookie import OWNER_DYNAMIC, OWNER_MASK, OWNER_PROGRAM
from ..plan.addresses import BRIDGE
from .cni import attachment
from .host.converge import present

PROGRAM = "/etc/sluice"
PODS = "/var/lib/sluice/pods"


def restore(folder: str = PROGRAM, pods: str = PODS, management: str = "", wait: float = 60.0) -> None:
    """Makes the node what the program in ``folder`` says; a line a step on standard output.

    :param management: the bridge's management socket; empty: its usual one
    :param wait: seconds for ovs-vswitchd to answer and to make the bridges' ports
    :raises SluiceError: with everything that could not be put back; each part is tried, whatever becomes of the others
    """
    program = Path(folder)
    if not program.is_dir():
        print(f"{folder} is not there: nothing to put back", flush=True)
        return
    address = socket_address(BRIDGE, management)
    end = time.monotonic() + wait
    failures = _each({
        "flows": lambda: _flows(program, address, end),
        "flows of pods that no inventory knows": lambda: _pod_flows(program, pods, address, end),
        "host": lambda: _host(program, max(end - time.monotonic(), 5.0)),
    })
    if failures:
        raise SluiceError("\n".join(failures))


def _each(steps: Mapping[str, Callable[[], str]]) -> list[str]:
    failures = []
    for name, step in steps.items():
        started = time.monotonic()
        try:
            outcome = step()
        except SluiceError as error:
            outcome = "failed"
            failures.append(f"{name}: {error}")
        print(f"{name}: {outcome} ({time.monotonic() - started:.2f} s)", flush=True)
    return failures


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SluiceError(f"{path} cannot be read: {error.strerror}; apply the node's program again") from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(_read(path))
    except ValueError as error:
        raise SluiceError(f"{path} is damaged: {error}; apply the node's program again") from error


def _tables(program: Path) -> dict[int, str]:
    """The names of the bridge's tables, which the flows' text uses."""
    bridges = _read_json(program / "switch.json").get("bridges", ())
    return parse_tables(next((bridge.get("flow_tables", {}) for bridge in bridges if bridge.get("name") == BRIDGE), {}))


def _wait_for_switch(address: str, end: float) -> None:
    """A daemon that was killed leaves its socket behind, so only a connection tells."""
    while True:
        try:
            Connection(address).close()
            return
        except SluiceError:
            if time.monotonic() >= end:
                raise
        time.sleep(0.05)


def _flows(program: Path, address: str, end: float) -> str:
    tables, owner = _tables(program), Owner(OWNER_PROGRAM << 48, OWNER_MASK)
    encoding = KeptEncoding(kept_path(BRIDGE, owner), tables, owner)
    want = encoding.encode(*(_read(program / f"{name}.txt") for name in ("flows", "groups", "meters")))
    _wait_for_switch(address, end)
    plan = apply_program(address, want, tables, owner)
    encoding.save()
    return _counts(plan)


def _pod_flows(program: Path, pods: str, address: str, end: float) -> str:
    tables, owner = _tables(program), Owner(OWNER_DYNAMIC << 48, OWNER_MASK)
    lines = [line for known in attachment.load_all(pods) if attachment.is_live(known) for line in known.flows]
    _wait_for_switch(address, end)
    # Merged: the CNI plugin may be attaching a pod right now.
    return _counts(apply_program(address, encode_program(lines, None, None, tables, owner), tables, owner, state="merged"))


def _counts(plan: Plan) -> str:
    return ", ".join(f"{plan.count(which)} {which}" for which in ("added", "removed", "modified"))


def _host(program: Path, wait: float) -> str:
    config = _read_json(program / "host.json")
    if not isinstance(config, dict):
        raise SluiceError(f"{program / 'host.json'} is not a mapping; apply the node's program again")
    network = {section: value for section, value in config.items() if section not in ("firewall", "files", "units")}
    return f"{len(present(network, check=False, wait=wait, remember=False).actions)} changed"
