# SPDX-License-Identifier: Apache-2.0
"""The plugin's memory: one file an attachment of a container to the bridge, ``<container id>-<ifname>.json`` in the state folder."""
from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager, suppress
from typing import Iterator, NamedTuple

from .links import exists

_LOCK = ".lock"


class Attachment(NamedTuple):
    """One interface of one container, as the plugin has made it."""

    container_id: str
    ifname: str
    netns: str
    """Path of the container's network namespace, good as long as the container lives."""
    namespace: str
    """Of the pod; empty, as ``name``, for a container that is none."""
    name: str
    interface: str
    """The host's end of the veth pair, or the VF's representor, and the name of the port."""
    mac: str
    ips: tuple[str, ...]
    ofport: int
    dynamic: bool
    """Whether the plugin chose the addresses itself, from the quarter of the node's range that no inventory uses."""
    flows: tuple[str, ...] = ()
    """In ovs-ofctl's syntax; a planned pod's belong to the program of the node instead."""
    device: str = ""
    """PCI address of the VF that the pod has; empty for a veth pair, as what follows."""
    vf: str = ""
    """What the VF's interface was called on the host, and had:"""
    vf_mac: str = ""
    vf_mtu: int = 0
    representor: str = ""
    """What its representor was called."""


def file_name(container_id: str, ifname: str) -> str:
    return f"{container_id}-{ifname}.json"


@contextmanager
def locked(state_dir: str) -> Iterator[None]:
    """No other plugin allocates addresses of this node in the block."""
    os.makedirs(state_dir, mode=0o755, exist_ok=True)
    descriptor = os.open(os.path.join(state_dir, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def load(state_dir: str, container_id: str, ifname: str) -> Attachment | None:
    return _read(os.path.join(state_dir, file_name(container_id, ifname)))


def load_all(state_dir: str) -> list[Attachment]:
    """All attachments of the node, dead ones too; files that cannot be read are left out."""
    try:
        names = sorted(os.listdir(state_dir))
    except FileNotFoundError:
        return []
    found = (_read(os.path.join(state_dir, name)) for name in names if name.endswith(".json"))
    return [attachment for attachment in found if attachment]


def is_live(attachment: Attachment) -> bool:
    """Whether its interface is still there; after a reboot, or when the container has died, it is not."""
    if attachment.device:
        # Imported where it is needed: most pods have no VF.
        from .vf import is_given
        return exists(attachment.interface) and is_given(attachment)
    return exists(attachment.interface)


def save(state_dir: str, attachment: Attachment) -> None:
    """Replaced as a whole, so that a reader never meets half a file."""
    path = os.path.join(state_dir, file_name(attachment.container_id, attachment.ifname))
    os.makedirs(state_dir, mode=0o755, exist_ok=True)
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(attachment._asdict(), file, indent=2, sort_keys=True)
        file.write("\n")
    os.replace(f"{path}.new", path)


def forget(state_dir: str, container_id: str, ifname: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(state_dir, file_name(container_id, ifname)))


def _read(path: str) -> Attachment | None:
    try:
        with open(path, encoding="utf-8") as file:
            fields = json.load(file)
        return Attachment(**{**fields, "ips": tuple(fields["ips"]), "flows": tuple(fields["flows"])})
    except (OSError, ValueError, TypeError, KeyError):
        # A crash of the node can leave an empty file; the attachment died with it.
        return None
