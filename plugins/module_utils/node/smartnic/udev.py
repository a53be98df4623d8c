# SPDX-License-Identifier: Apache-2.0
"""Names of representors, as udev gives them when they appear (udev(7)). No I/O."""
from __future__ import annotations

from typing import Iterable

from .model import Pair

RULES_FILE = "/etc/udev/rules.d/70-sluice-smartnic.rules"
"""Before 75 (net-description) and 80 (net-setup-link), which take no interface's name that a rule has set."""

_HEAD = "# Made by Sluice (role smartnic): the names of VFs' representors.\n"


def rules(pairs: Iterable[Pair]) -> str:
    """The file's text; empty if no NIC's representors are named.

    By the parent's address and not by phys_switch_id, which a NIC has only once it is in switchdev mode: so the first representors are
    named right too. The number of the VF is what is behind "vf" of phys_port_name.
    """
    lines = []
    for nic, wanted, _profile in pairs:
        if wanted.representors:
            # PROGRAM and %c would start a process for each; one rule a VF starts none.
            lines += [f'SUBSYSTEM=="net", ACTION=="add", KERNELS=="{nic.address}", ATTR{{phys_switch_id}}!="", '
                      f'ATTR{{phys_port_name}}=="pf*vf{vf}", NAME="{wanted.representor_name(vf)}"\n'
                      for vf in range(nic.vf_count if wanted.vfs is None else wanted.vfs)]
    return _HEAD + "".join(lines) if lines else ""
