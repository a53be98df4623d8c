#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same measurements between pods with the kernel's datapath: in a virtual machine of the lab, whose kernel has it, ESP and WireGuard.

``python tests/bench/dataplane_machine.py [--release bookworm] [options of tests/bench/dataplane]``. Makes the machine, runs
``tests/bench/dataplane --datapath system`` in it, and removes it. Without KVM all rates are those of an emulated processor; the ratios compare
paths that it emulates alike.
"""
from __future__ import annotations

import argparse
import pathlib
import shlex
import subprocess
import sys
import tempfile
import uuid

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "integration"), str(ROOT / "tests"), str(ROOT / "src")]

from fabric.fabric_lab import VIRTUAL, FabricLab  # noqa: E402

NODE = "node1"
INSTALLED = ["ethtool", "iptables", "nftables", "openvswitch-switch", "python3-netaddr", "python3-openvswitch", "python3-yaml", "wireguard-tools"]
MODULES = "openvswitch br_netfilter"


def main() -> None:
    """Prints what the measurements print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", default="bookworm", help="which Debian, or Ubuntu, the machine has")
    options, rest = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        lab = FabricLab("b" + uuid.uuid4().hex[:6], pathlib.Path(folder))
        try:
            lab.set_nodes(1)
            lab.set_variables(sluice_lab_release=options.release, sluice_lab_extra_packages=INSTALLED, **VIRTUAL)
            lab.succeed("lab_up")
            ssh = ["ssh", "-F", str(lab.ssh_config), NODE]
            # Its own Open vSwitch is not wanted, only its programs and the kernel's module.
            subprocess.run([*ssh, f"apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install {' '.join(INSTALLED)} >/dev/null && "
                            f"systemctl stop openvswitch-switch && modprobe -a {MODULES} && mkdir -p /srv/sluice"],
                           stdin=subprocess.DEVNULL, check=True)
            with subprocess.Popen(["tar", "--create", "--exclude=__pycache__", "src", "plugins", "tests"], cwd=ROOT, stdout=subprocess.PIPE) as tree:
                subprocess.run([*ssh, "tar --extract --directory=/srv/sluice"], stdin=tree.stdout, check=True)
            # A shell takes it apart there: names of kinds have spaces.
            measure = shlex.join(["python3", "/srv/sluice/tests/bench/dataplane", "--datapath", "system", *rest])
            done = subprocess.run([*ssh, measure], stdin=subprocess.DEVNULL, check=False)
        finally:
            lab.run("lab_down")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
