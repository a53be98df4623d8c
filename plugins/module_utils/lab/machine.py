# SPDX-License-Identifier: Apache-2.0
"""One node: its own files, and the supervisor that powers it on. What depends on its kind is in container and vm."""
from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple, Optional

from . import cgroups, container, disk, image, network, vm
from .access import hang_up, make_key
from .command import succeeds
from .files import discard, unfinished, whole, write
from .image import Material, Progress, Stock
from .process import start_detached
from .spec import Lab, Node, Segment, node_group


class Kind(NamedTuple):
    """What depends on a node's kind: its image and the form of its packages, its own files in its folder, what a new one consists of, its power supply."""

    image_name: Callable[[Stock], str]
    build_image: Callable[[Stock, Progress], Path]
    pack: Optional[Callable[[Path], None]]
    own_files: str
    make: Callable[[Path, Material], None]
    supervisor: Callable[[Lab, Node, Material], str]


KINDS = {
    "container": Kind(image.image_name, image.build_image, None, container.OWN_FILES, container.make, container.supervisor),
    "vm": Kind(disk.image_name, disk.build_image, disk.as_disk, vm.OWN_FILES, vm.make, vm.supervisor),
}
_HOST_KEY = "etc/ssh/ssh_host_ed25519_key"


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
    return bool(cgroups.processes(f"{node_group(lab.name, name)}/supervisor"))


def observe(lab: Lab) -> dict[str, dict[str, Any]]:
    """The nodes that are there: name to description, whether it is running, and whether it is connected to the lab's bridges."""
    ports = network.links(lab.namespace)
    nodes = {}
    for name in whole(lab.home / "nodes"):
        found = json.loads((lab.home / "nodes" / name / "node.json").read_text())
        connected = {network.bridge_port(name, bridge) for bridge in ("mgmt", "underlay")} <= ports
        nodes[name] = {**found, "running": powered(lab, name), "connected": connected}
    return nodes


def create(lab: Lab, node: Node, material: Material) -> None:
    """Make ``node``'s folder: it is there only when it is complete."""
    folder = lab.home / "nodes" / node.name
    new = unfinished(folder)
    discard(new)
    new.mkdir(parents=True)
    kind = KINDS[node.machine]
    kind.make(new, material)
    write(new / kind.own_files / "etc/machine-id", uuid.uuid4().hex + "\n", 0o444)
    make_key(new / kind.own_files / _HOST_KEY, node.name)
    _write_configuration(new, lab, node, material)
    new.rename(folder)


def host_key(lab: Lab, node: Node) -> str:
    """The public SSH host key of ``node``."""
    return make_key(lab.home / "nodes" / node.name / KINDS[node.machine].own_files / _HOST_KEY, node.name)


def configure(lab: Lab, node: Node, material: Material) -> None:
    """Bring the configuration of a node that is not running up to date."""
    _write_configuration(lab.home / "nodes" / node.name, lab, node, material)


def _write_configuration(folder: Path, lab: Lab, node: Node, material: Material) -> None:
    own_files = folder / KINDS[node.machine].own_files
    for path, text in node_files(lab, node).items():
        write(own_files / path, text)
    write(own_files / "root/.ssh/authorized_keys", material.authorized_key + "\n", 0o600)
    for private in ("root", "root/.ssh"):
        (own_files / private).chmod(0o700)
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
    write(folder / "supervise", KINDS[node.machine].supervisor(lab, node, material), 0o755)
    start_detached([str(folder / "supervise")], f"{node_group(lab.name, node.name)}/supervisor", folder / "console.log")


def stop(lab: Lab, name: str) -> None:
    """Cut ``name``'s power."""
    hang_up(lab, name)
    cgroups.end(node_group(lab.name, name))
    for command in network.node_removal_commands(lab, name):
        succeeds(command)


def remove(lab: Lab, name: str) -> None:
    """Remove a node and everything of it."""
    stop(lab, name)
    discard(lab.home / "nodes" / name)
