# SPDX-License-Identifier: Apache-2.0
"""The variables that say what SmartNICs do: how they are made ready, what is offloaded to them, and which virtual functions pods may have."""
from __future__ import annotations

import re
from typing import Any, Mapping, Optional, Sequence

from ..errors import Problem
from ..node.smartnic.config import parse_nics
from .fields import Fields, Source
from .state import Nic, Offload, Vf, VfPool

TC_POLICIES = ("none", "skip_sw", "skip_hw")
MAX_IDLE = (500, 3_600_000)
"""Milliseconds; the lower bound is Open vSwitch's (ovs-vswitchd.conf.db(5), other_config:max-idle)."""
DEFAULT_PREFIX = "sluice.io"

_RESOURCE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_SELECTORS = ("vendors", "devices", "drivers", "pfNames", "rootDevices")


def read_offload(value: object, source: Source) -> Offload:
    """``sluice_offload``; what is wrong goes to the source's problems."""
    fields = Fields(source, {"sluice_offload": value}).inside("sluice_offload")
    hw_offload = fields.boolean("hw_offload")
    tc_policy = fields.string("tc_policy", "", choices=TC_POLICIES)
    max_idle = fields.integer("max_idle", 0, *MAX_IDLE)
    found: list[Problem] = []
    nics = parse_nics(fields.raw("nics") or [], source.file, "sluice_offload.nics", found)
    source.problems += [problem._replace(object=source.object) for problem in found]
    fields.no_others()
    if tc_policy and not hw_offload:
        fields.problem("tc_policy", f"is {tc_policy!r}, which without hw_offload is without effect", "hw_offload: true beside it")
    if hw_offload:
        for number, nic in enumerate(nics):
            if nic.mode == "switchdev" and nic.tc_offload is False:
                source.problem(f"sluice_offload.nics[{number}].tc_offload", "is false, so that nothing is offloaded to the NIC", "true, or none")
    return Offload(hw_offload, tc_policy, max_idle, tuple(Nic(nic.interface, nic.vfs or 0, nic.mode or "") for nic in nics))


def read_vf_pools(value: object, source: Source) -> tuple[VfPool, ...]:
    """``sluice_vf_pools``, whose items are as in the resourceList of the SR-IOV network device plugin; what is wrong goes to the problems."""
    pools = []
    for fields in Fields(source, {"sluice_vf_pools": value}).items("sluice_vf_pools"):
        name = fields.string("resourceName", check=lambda text: "" if _RESOURCE.fullmatch(text) else "letters, digits, '_', '-' and '.'")
        fields.required("resourceName", "what pods ask for, such as cx5_vfs")
        prefix = fields.string("resourcePrefix", DEFAULT_PREFIX)
        # Of the plugin's own, these change nothing here: every VF is a network device of the kernel.
        fields.ignore("deviceType", "excludeTopology", "additionalInfo")
        selectors = fields.inside("selectors")
        found = {key: selectors.strings(key) for key in _SELECTORS}
        selectors.ignore("isRdma", "linkTypes", "needVhostNet", "acpiIndexes", "pKeys", "vdpaType")
        selectors.no_others()
        fields.no_others()
        for key in ("pfNames", "rootDevices"):
            for index, text in enumerate(found[key]):
                if _numbers(text) is None:
                    selectors.problem(f"{key}[{index}]", f"is {text!r}", "a NIC, or some of its VFs, as ens1f0#0-3,6")
        if name:
            pools.append(VfPool(f"{prefix}/{name}", found["vendors"], found["devices"], found["drivers"], (*found["pfNames"], *found["rootDevices"])))
    return tuple(pools)


def vfs_of_pools(
    host: str, offload: Offload, pools: Sequence[VfPool], facts: Mapping[str, Mapping[str, Any]], problems: list[Problem]
) -> dict[str, tuple[Vf, ...]]:
    """Resource to the VFs of one host that are in its pool. A VF is in the first pool that selects it, as with the plugin.

    ``facts``: interface to ``vendor``, ``vf_device``, ``vf_driver`` and ``address`` of its NIC, as node_info finds them.
    """
    found: dict[str, list[Vf]] = {pool.resource: [] for pool in pools}
    for nic in offload.nics:
        known = facts.get(nic.interface) or next((one for one in facts.values() if one.get("address") == nic.interface), {})
        if not known and any(pool.vendors or pool.devices or pool.drivers for pool in pools):
            problems.append(Problem("inventory", f"host {host}", "sluice_vf_pools", f"nothing is known of the NIC {nic.interface}",
                                    "a host with that NIC that Ansible has reached at least once, or selectors with pfNames alone"))
            continue
        for number in range(nic.vfs):
            pool = next((pool for pool in pools if _selects(pool, nic.interface, number, known)), None)
            if pool:
                found[pool.resource].append(Vf(pool.resource, nic.interface, number))
    return {resource: tuple(vfs) for resource, vfs in found.items() if vfs}


def _selects(pool: VfPool, interface: str, number: int, known: Mapping[str, Any]) -> bool:
    for wanted, key in ((pool.vendors, "vendor"), (pool.devices, "vf_device"), (pool.drivers, "vf_driver")):
        if wanted and known.get(key) not in wanted:
            return False
    names = (interface, known.get("address", interface), known.get("interface", interface))
    return not pool.functions or any(
        text.partition("#")[0] in names and ("#" not in text or number in (_numbers(text) or ())) for text in pool.functions)


def _numbers(text: str) -> Optional[tuple[int, ...]]:
    """The numbers behind # of ``ens1f0#0-3,6``: none where there is no #, None where that is not what it says."""
    name, mark, ranges = text.partition("#")
    if not name or (mark and not ranges):
        return None
    numbers: list[int] = []
    for part in ranges.split(",") if mark else ():
        match = _RANGE.fullmatch(part)
        if not match or int(match.group(2) or match.group(1)) < int(match.group(1)):
            return None
        numbers += range(int(match.group(1)), int(match.group(2) or match.group(1)) + 1)
    return tuple(numbers)
