# SPDX-License-Identifier: Apache-2.0
"""One node: its overlay on the shared root file system, and the supervisor that powers it on and starts it again when it reboots."""
from __future__ import annotations

import json
import shlex
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

from . import cgroups, network
from .access import hang_up, make_key
from .command import succeeds
from .files import discard, unfinished, whole, write
from .process import start_detached
from .spec import Lab, Node, Segment, node_namespace

# systemd-nspawn's exit code when the container asked for a reboot and --keep-unit leaves that to the caller.
_REBOOT = 133


@dataclass(frozen=True)
class Material:
    """What all nodes are made from."""

    image: Path
    repository: Path
    authorized_key: str


def description(lab: Lab, node: Node, material: Material) -> dict[str, Any]:
    """What ``node`` is, as plain data: two nodes with the same description need no change."""
    return {
        "image": material.image.name,
        "repository": material.repository.name,
        "authorized_key": material.authorized_key,
        "interfaces": interfaces(lab, node),
    }


def powered(lab: Lab, name: str) -> bool:
    """Whether ``name`` is on and has its power supply, without which it would not come back from a reboot."""
    return bool(cgroups.processes(f"{group(lab, name)}/supervisor"))


def observe(lab: Lab) -> dict[str, dict[str, Any]]:
    """The nodes that are there: name to description, whether it is running, and whether it is connected to the lab's bridges."""
    ports = network.links(lab.namespace)
    nodes = {}
    for name in whole(lab.home / "nodes"):
        found = json.loads((lab.home / "nodes" / name / "node.json").read_text())
        connected = {network.bridge_port(name, bridge) for bridge in ("mgmt", "underlay")} <= ports
        nodes[name] = {**found, "running": powered(lab, name), "connected": connected}
    return nodes


def group(lab: Lab, node: str) -> str:
    """The control group of everything that belongs to ``node``."""
    return f"{lab.namespace}/nodes/{node}"


def create(lab: Lab, node: Node, material: Material) -> None:
    """Make ``node``'s folder: it is there only when it is complete."""
    folder = lab.home / "nodes" / node.name
    new = unfinished(folder)
    discard(new)
    # The overlay's upper folder is what the node sees as /, so its mode has to be a root folder's.
    for part in ("upper", "work", "root", "containerd"):
        (new / part).mkdir(parents=True)
        (new / part).chmod(0o755)
    write(new / "upper/etc/machine-id", uuid.uuid4().hex + "\n", 0o444)
    make_key(new / "upper/etc/ssh/ssh_host_ed25519_key", node.name)
    _write_configuration(new, lab, node, material)
    new.rename(folder)


def host_key(lab: Lab, node: str) -> str:
    """The public SSH host key of ``node``."""
    return make_key(lab.home / "nodes" / node / "upper/etc/ssh/ssh_host_ed25519_key", node)


def configure(lab: Lab, node: Node, material: Material) -> None:
    """Bring the configuration of a node that is not running up to date."""
    _write_configuration(lab.home / "nodes" / node.name, lab, node, material)


def _write_configuration(folder: Path, lab: Lab, node: Node, material: Material) -> None:
    for path, text in node_files(lab, node).items():
        write(folder / "upper" / path, text)
    write(folder / "upper/root/.ssh/authorized_keys", material.authorized_key + "\n", 0o600)
    for private in ("root", "root/.ssh"):
        (folder / "upper" / private).chmod(0o700)
    # Last, because it says that all of the above is done.
    write(folder / "node.json", json.dumps(description(lab, node, material), indent=2, sort_keys=True) + "\n")


def node_files(lab: Lab, node: Node) -> Mapping[str, str]:
    """The files by which ``node`` differs from the image: path in its file system to text."""
    return {
        "etc/hostname": node.name + "\n",
        "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {node.name}\n::1 localhost ip6-localhost ip6-loopback\n",
        "etc/network/interfaces": interfaces(lab, node),
    }


def interfaces(lab: Lab, node: Node) -> str:
    """The node's /etc/network/interfaces (interfaces(5)): the management network reaches no further, the underlay has the default route."""
    text = "auto lo\niface lo inet loopback\n"
    for device, segment, addresses, routed in (("eth0", lab.management, node.management, False),
                                               ("eth1", lab.underlay, node.underlay, True)):
        text += f"\nauto {device}\n"
        for address in addresses:
            text += f"iface {device} {'inet6' if address.version == 6 else 'inet'} static\n  address {segment.interface(address)}\n"
            if routed:
                text += f"  gateway {_gateway(segment, address.version)}\n"
    return text


def _gateway(segment: Segment, version: int) -> str:
    return next(str(gateway) for gateway in segment.gateways if gateway.version == version)


def start(lab: Lab, node: Node, material: Material) -> None:
    """Power ``node`` on. Returns at once; access.wait_for_nodes waits for the boot."""
    # Something of it may have outlived its supervisor.
    stop(lab, node.name)
    folder = lab.home / "nodes" / node.name
    machine = cgroups.create(f"{group(lab, node.name)}/machine")
    write(folder / "supervise", supervisor(lab, node, material, machine), 0o755)
    start_detached([str(folder / "supervise")], f"{group(lab, node.name)}/supervisor", folder / "console.log")


def stop(lab: Lab, name: str) -> None:
    """Cut ``name``'s power."""
    hang_up(lab, name)
    cgroups.end(group(lab, name))
    for command in network.node_removal_commands(lab, name):
        succeeds(command)


def remove(lab: Lab, name: str) -> None:
    """Remove a node and everything of it."""
    stop(lab, name)
    discard(lab.home / "nodes" / name)


def supervisor(lab: Lab, node: Node, material: Material, machine: list[Path]) -> str:
    """The shell program that is a node's power supply; ``machine`` are the cgroup folders the node runs in.

    Each boot starts with network links, cgroups and mounts that have no past, as on a real machine. The mounts live in a mount
    namespace of their own and go when the node does."""
    folder, namespace = lab.home / "nodes" / node.name, node_namespace(lab.name, node.name)
    nspawn = [
        "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--console=pipe",
        f"--machine={namespace}", f"--hostname={node.name}", f"--directory={folder}/root",
        f"--network-namespace-path=/run/netns/{namespace}", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
        "--capability=all", "--system-call-filter=@keyring bpf", "--bind=/dev/net/tun",
        # containerd keeps its layers in overlays, which cannot lie on another overlay.
        f"--bind={folder}/containerd:/var/lib/containerd", f"--bind-ro={material.repository}:/srv/apt",
    ]
    overlay = f"lowerdir={material.image},upperdir={folder}/upper,workdir={folder}/work"
    return f"""\
#!/bin/sh
# Written by sluice.fabric.lab: power supply of node {node.name} of lab {lab.name}.
set -eu
exec 9>{shlex.quote(str(folder / "lock"))}
flock --nonblock 9 || exit 0

network() {{
{_indent(network.as_script(network.node_removal_commands(lab, node.name), may_fail=True))}\
{_indent(network.as_script(network.node_commands(lab, node)))}\
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


def _indent(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())
