# SPDX-License-Identifier: Apache-2.0
"""A node that is a system container: its overlay on the shared root file system, and systemd-nspawn, started again when the node reboots."""
from __future__ import annotations

import shlex
from pathlib import Path

from . import cgroups, network
from .image import Material
from .spec import Lab, Node, node_group, node_namespace

# What differs from the shared root file system, below a node's folder.
OWN_FILES = "upper"

# systemd-nspawn's exit code when the container asked for a reboot and --keep-unit leaves that to the caller.
_REBOOT = 133


def make(folder: Path, material: Material) -> None:
    """Make what a node of ``material`` consists of, in its new ``folder``."""
    # The overlay's upper folder is what the node sees as /, so its mode has to be a root folder's.
    for part in (OWN_FILES, "work", "root", "containerd"):
        (folder / part).mkdir()
        (folder / part).chmod(0o755)


def supervisor(lab: Lab, node: Node, material: Material) -> str:
    """The shell program that is a node's power supply.

    Each boot starts with network links, cgroups and mounts that have no past, as on a real machine. The mounts live in a mount
    namespace of their own and go when the node does."""
    machine = cgroups.create(f"{node_group(lab.name, node.name)}/machine")
    folder, namespace = lab.home / "nodes" / node.name, node_namespace(lab.name, node.name)
    nspawn = [
        "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--console=pipe",
        f"--machine={namespace}", f"--hostname={node.name}", f"--directory={folder}/root",
        f"--network-namespace-path=/run/netns/{namespace}", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
        "--capability=all", "--system-call-filter=@keyring bpf", "--bind=/dev/net/tun",
        # containerd keeps its layers in overlays, which cannot lie on another overlay.
        f"--bind={folder}/containerd:/var/lib/containerd", f"--bind-ro={material.repository}:/srv/apt",
    ]
    overlay = f"lowerdir={material.image},upperdir={folder}/{OWN_FILES},workdir={folder}/work"
    return f"""\
#!/bin/sh
# Written by sluice.fabric.lab: power supply of node {node.name} of lab {lab.name}.
set -eu
exec 9>{shlex.quote(str(folder / "lock"))}
flock --nonblock 9 || exit 0

network() {{
{network.as_script(network.node_removal_commands(lab, node.name), may_fail=True)}\
{network.as_script(network.node_commands(lab, node))}\
}}

machine() (
  for group in {shlex.join(str(folder) for folder in machine)}; do
    find "$group" -mindepth 1 -depth -type d -exec rmdir {{}} \\;
    echo 0 > "$group/cgroup.procs"
  done
  mkdir -p /run/systemd/nspawn
  exec unshare --mount --propagation slave sh -ec '
    mount -t tmpfs tmpfs /run/systemd/nspawn
    mount -t overlay overlay -o "$1" "$2"
    shift 2
    exec "$@"
  ' sh {shlex.quote(overlay)} {shlex.quote(f"{folder}/root")} \\
    {shlex.join(nspawn)} 9>&-
)

while :; do
  network > /dev/null
  code=0
  machine || code=$?
  [ "$code" -eq {_REBOOT} ] || exit "$code"
  echo "node {node.name} reboots"
done
"""
