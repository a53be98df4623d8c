# SPDX-License-Identifier: Apache-2.0
"""Real devlink, VFs and representors by netdevsim: what the engine makes of one, twice, and back. Run as root in a virtual machine of its own.

netdevsim is a NIC that the kernel pretends to have (drivers/net/netdevsim). Debian's kernels have it not; docs/smartnic.md says how to build it.
Prints ``ok: …`` for each thing that holds, and ends with a traceback at the first that does not.
"""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sluice.errors import InputError
from sluice.node.smartnic.converge import absent, describe, present
from sluice.node.smartnic.machine import Host
from sluice.node.smartnic.model import Nic
from sluice.node.smartnic.read import read

BUS = Path("/sys/bus/netdevsim")


class Quiet(Host):
    """The machine itself, without systemd, which is not run here."""

    def run(self, *command: str) -> None:
        if command[0] != "systemctl":
            super().run(*command)


def nic(machine: Host, name: str) -> Nic:
    found = read(machine, [name])[name]
    assert found is not None
    return found


def ok(words: str, holds: bool, seen: object = "") -> None:
    assert holds, f"{words}: {seen}"
    print(f"ok: {words}", flush=True)


def main() -> None:
    (BUS / "new_device").write_text("1 1")
    interface = next(path.name for path in Path("/sys/class/net").iterdir() if (path / "device").resolve().name == "netdevsim1")
    machine = Quiet()
    before = nic(machine, interface)
    ok("a NIC is read from sysfs and devlink", (before.handle, before.vf_count, before.eswitch and before.eswitch.mode)
       == ("netdevsim/netdevsim1", 0, "legacy"), before)
    print("transcript:", subprocess.run(["devlink", "-j", "dev", "eswitch", "show", before.handle], capture_output=True, text=True, check=True).stdout)
    # The interface's name changes with nothing here, and its address does not.
    wanted = {"interface": "netdevsim1", "vfs": 3, "mode": "switchdev", "representors": "nsim0r{vf}"}
    predicted = present([wanted], check=True, machine=machine)
    ok("check mode changes nothing", nic(machine, interface) == before)
    made = present([wanted], check=False, machine=machine)
    ok("a run does what check mode said", made.actions == predicted.actions, (made.actions, predicted.actions))
    print("actions:", json.dumps(made.actions, indent=1))
    now = nic(machine, interface)
    ok("three VFs, in switchdev mode", (now.vf_count, now.eswitch and now.eswitch.mode) == (3, "switchdev"), now)
    ok("each VF has a representor with its name", [(end.netdev, end.vf) for end in now.representors] == [(f"nsim0r{vf}", vf) for vf in range(3)],
       now.representors)
    print("state:", json.dumps(describe(now), indent=1))
    ok("a second run does nothing", present([wanted], check=False, machine=machine).actions == [])
    present([{**wanted, "vfs": 2}], check=False, machine=machine)
    ok("another number of VFs", len(nic(machine, interface).representors) == 2, nic(machine, interface))
    try:
        present([{**wanted, "vfs": 2, "tc_offload": True, "encap_mode": "basic"}], check=False, machine=machine)
    except InputError as refused:
        ok("what it cannot do is refused", "encap_mode" in str(refused), refused)
        print(refused)
    else:
        sys.exit("encap_mode was not refused")
    absent(check=False, machine=machine)
    after = nic(machine, interface)
    ok("it is again what it was", (after.vf_count, after.eswitch and after.eswitch.mode, len(after.representors)) == (0, "legacy", 0), after)
    (BUS / "del_device").write_text("1")


if __name__ == "__main__":
    main()
