# SPDX-License-Identifier: Apache-2.0
"""sluice.fabric.host, host_info and node_info as Ansible runs them, with the Python that a Debian node has."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
# The modules write to /etc/sysctl.d and /var/lib: in a mount namespace these are not the host's.
PRIVATE = """
set -e
mount -t tmpfs none /etc/sysctl.d
mkdir -p "$1/dpkg"
cp /var/lib/dpkg/status "$1/dpkg/"
mount --bind "$1" /var/lib
ip link add gw type bridge
state() {
  ip -br addr; ip route; ip neigh; nft list ruleset; sysctl net.ipv4.ip_forward
  find /etc/sysctl.d /var/lib -not -path '*/dpkg/*'
}
before=$(state)
"$2" tests/integration/host/modules.yml -i localhost,
after=$(state)
[ "$before" = "$after" ] || { echo "before: $before"; echo "after: $after"; exit 1; }
"""


def test_modules(tmp_path: Path) -> None:
    playbook = Path(sys.executable).with_name("ansible-playbook")
    command = ["unshare", "--net", "--mount", "sh", "-c", PRIVATE, "sh", str(tmp_path), str(playbook)]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
