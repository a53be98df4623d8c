# SPDX-License-Identifier: Apache-2.0
"""Makes a host's NICs what they are to be, with what keeps them so at the next boot; and takes all of it back."""
from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ...errors import InputError, Problem, SluiceError
from ..host import files
from ..host.model import File
from .apply import apply
from .check import pair
from .config import parse_nics
from .machine import Host, Machine
from .model import Eswitch, Nic, Pair, Wanted
from .plan import changes_mode, steps
from .profiles import profile_of
from .read import read
from .udev import RULES_FILE, rules
from .unit import CONFIG_FILE, UNIT, UNIT_FILE, UNIT_TEXT

RECORD_FILE = "/var/lib/sluice/smartnic-before.json"
"""What NICs were before Sluice's first run, by their addresses."""

_ROUNDS = 2
"""A mode that a driver resets with the number of VFs is seen by the second look, and set by the second round."""


class Result(NamedTuple):
    """What a run did, or in check mode would do."""

    actions: List[str]
    before: Dict[str, Any]
    after: Dict[str, Any]
    warnings: List[str]

    @property
    def changed(self) -> bool:
        return bool(self.actions)

    @property
    def diff(self) -> Dict[str, str]:
        return {"before": _json(self.before), "after": _json(self.after)}


def present(nics: Sequence[Mapping[str, Any]], check: bool, boot: bool = True, machine: Optional[Machine] = None) -> Result:
    """NICs as ``nics`` says (the option of sluice.fabric.smartnic), those of an earlier run that are no longer named as they were.

    :param boot: whether they are to be so after a reboot too
    :raises InputError: before anything is touched, with everything that is wrong or that a NIC cannot do
    :raises SluiceError: a step failed, or the NIC is not what it was made
    """
    machine = machine or Host()
    problems: List[Problem] = []
    wanted = parse_nics(nics, "config", "nics", problems)
    if problems:
        raise InputError(problems)
    record = _load(machine)
    found = read(machine, [one.interface for one in wanted])
    named = {nic.address for nic in found.values() if nic}
    gone = [Wanted(**{**entry, "interface": address}) for address, entry in record.items() if address not in named]
    left = read(machine, [one.interface for one in gone])
    # A NIC that has left the machine has nothing to be put back.
    pairs = pair([*wanted, *(one for one in gone if left[one.interface])], {**found, **left})
    texts = {
        CONFIG_FILE: _json({"nics": [{key: value for key, value in entry.items() if value is not None} for entry in nics]}) if boot and wanted else "",
        UNIT_FILE: UNIT_TEXT if boot and wanted else "",
        RULES_FILE: rules(pairs),
    }
    keep = {nic.address: record.get(nic.address) or _managed(nic) for nic in found.values() if nic}
    return _converge(machine, pairs, texts, keep, check)


def absent(check: bool, machine: Optional[Machine] = None) -> Result:
    """NICs as they were before Sluice's first run, and nothing left at boot. Raises as :func:`present` does."""
    return present((), check, boot=False, machine=machine)


def at_boot(machine: Optional[Machine] = None, wait: float = 60.0) -> Result:
    """What the boot unit does: NICs as the file of the last run says; files and record stay as they are.

    Drivers and interfaces may be late: a NIC that is not there is waited for.
    """
    machine = machine or Host()
    try:
        config = json.loads(_place(machine, CONFIG_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Result([], {}, {}, [])
    except (OSError, ValueError) as error:
        raise SluiceError(f"{CONFIG_FILE} cannot be read ({error}); run the site playbook again") from error
    problems: List[Problem] = []
    wanted = parse_nics(config.get("nics", []), CONFIG_FILE, "nics", problems)
    if problems:
        raise InputError(problems)
    end = time.monotonic() + wait
    while True:
        found = read(machine, [one.interface for one in wanted])
        if all(found.values()) or time.monotonic() > end:
            break
        time.sleep(0.5)
    # One that is missing or broken must not keep the others from their pods.
    result = converge_nics(machine, pair([one for one in wanted if found[one.interface]], found), check=False)
    missing = ", ".join(one.interface for one in wanted if not found[one.interface])
    if missing:
        raise SluiceError(f"this host has no NIC {missing}, which {CONFIG_FILE} names; the others are as they are to be")
    return result


def _converge(machine: Machine, pairs: Sequence[Pair], texts: Mapping[str, str], record: Mapping[str, Any], check: bool) -> Result:
    """Names before NICs, so that representors get them when they appear; the unit after, so that no boot repeats what failed."""
    before = {path: _content(machine, path) for path in texts}
    changed = sorted(path for path, text in texts.items() if before[path] != text)
    later = [path for path in changed if path != RULES_FILE]
    if not check:
        # Before the first change: what a NIC was must not be lost with a run that fails.
        _put(machine, RECORD_FILE, _record_text({**_load(machine), **record}))
        if RULES_FILE in changed:
            _put(machine, RULES_FILE, texts[RULES_FILE])
            machine.query("udevadm", "control", "--reload")
    nics = converge_nics(machine, pairs, check)
    if not check:
        if UNIT_FILE in later and not texts[UNIT_FILE]:
            machine.run("systemctl", "disable", UNIT)
        for path in later:
            _put(machine, path, texts[path])
        if UNIT_FILE in later:
            machine.run("systemctl", "daemon-reload")
        if UNIT_FILE in later and texts[UNIT_FILE]:
            machine.run("systemctl", "enable", UNIT)
        _put(machine, RECORD_FILE, _record_text(record))
    actions = [f"{'write' if texts[path] else 'remove'} {path}" for path in changed]
    return Result([*actions, *nics.actions], {**nics.before, **before}, {**nics.after, **texts}, nics.warnings)


def converge_nics(machine: Machine, pairs: Sequence[Pair], check: bool) -> Result:
    """The NICs themselves, and no file. Raises SluiceError."""
    before = {one.nic.interface: describe(one.nic) for one in pairs}
    plan = [step for one in pairs for step in steps(one)]
    warnings = [f"{one.nic.interface} has the addresses {', '.join(one.nic.addresses)}: some drivers make the interface anew with the mode, "
                "which then has none until the network is configured again" for one in pairs if one.nic.addresses and changes_mode(one)]
    if check:
        after = {one.nic.interface: _predicted(one) for one in pairs}
        return Result([step.words for step in plan], before, after, warnings)
    actions = []
    now = list(pairs)
    for _round in range(_ROUNDS):
        if not plan:
            break
        apply(machine, plan)
        actions += [step.words for step in plan]
        found = read(machine, [one.nic.address for one in pairs])
        now = [one._replace(nic=found[one.nic.address] or one.nic) for one in pairs]
        plan = [step for one in now for step in steps(one)]
    if plan:
        raise SluiceError("after all steps, this is still to be done: " + "; ".join(step.words for step in plan)
                          + "; the driver took the steps without an error, so `dmesg` may say why")
    return Result(actions, before, {one.nic.interface: describe(one.nic) for one in now}, warnings)


def describe(nic: Nic) -> Dict[str, Any]:
    """A NIC's state in the words of the option, and what follows from it."""
    told = nic.eswitch or Eswitch("")
    return {
        "address": nic.address, "driver": nic.driver, "vendor": nic.vendor, "device": nic.device,
        "profile": profile_of(nic.vendor, nic.device, nic.driver).name, "vfs": nic.vf_count, "max_vfs": nic.total_vfs,
        "mode": told.mode or None, "inline_mode": told.inline_mode or None, "encap_mode": told.encap_mode or None,
        "tc_offload": nic.tc_offload, "switch_id": nic.switch_id,
        "functions": [{"number": vf.number, "address": vf.address, "driver": vf.driver, "interface": vf.netdev, "in_use": vf.is_in_use,
                       "representor": next((end.netdev for end in nic.representors if end.vf == vf.number), "")} for vf in nic.vfs],
    }


def _managed(nic: Nic) -> Dict[str, Any]:
    """What is kept of a NIC to put it back: what the option manages and the NIC tells."""
    told = nic.eswitch or Eswitch("")
    kept = {"vfs": nic.vf_count if nic.has_vfs else None, "mode": told.mode or None, "inline_mode": told.inline_mode or None,
            "encap_mode": told.encap_mode or None, "tc_offload": nic.tc_offload}
    return {key: value for key, value in kept.items() if value is not None}


def _predicted(one: Pair) -> Dict[str, Any]:
    """The state after the steps, as far as it is known before: of VFs that do not exist yet only how many."""
    state = describe(one.nic)
    state.update({key: value for key, value in one.wanted._asdict().items() if key in state and value is not None})
    if state["vfs"] != one.nic.vf_count:
        state["functions"] = f"{state['vfs']} virtual functions"
    return state


def _place(machine: Machine, path: str) -> Path:
    return machine.root / path.lstrip("/")


def _content(machine: Machine, path: str) -> str:
    file = files.read(machine.root, path)
    return file.content if file else ""


def _put(machine: Machine, path: str, text: str) -> None:
    """The file with this text; without text, no file."""
    if text == _content(machine, path):
        return
    if text:
        files.write(machine.root, path, File(text))
    else:
        files.remove(machine.root, path)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def _record_text(record: Mapping[str, Any]) -> str:
    return _json(record) if record else ""


def _load(machine: Machine) -> Dict[str, Dict[str, Any]]:
    text = _content(machine, RECORD_FILE)
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise SluiceError(f"{RECORD_FILE} is damaged ({error}); remove it, and what NICs were before Sluice is forgotten") from error
    return dict(found)
