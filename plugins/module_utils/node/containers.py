# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function  # the engine knows no Ansible module
"""containerd's containers of pods, by its command `ctr`: what runs, and how one is run."""
from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, Mapping

from ..errors import SluiceError
from ..plan.container_id import CONTAINERD_NAMESPACE

ENGINE = "/usr/lib/sluice/sluice.pyz"
ROOT = Path("/run/sluice/rootfs")
"""The root file system that all stand-ins share: empty but for mount points."""

DEFAULT_PORT = "TCP/8080"
"""Where a pod that declares no port listens, so that it can be probed."""

_CTR = ("ctr", "--namespace", CONTAINERD_NAMESPACE)
_MOUNT_POINTS = ("dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var")
_LINKS_INTO_USR = ("bin", "lib", "lib64", "sbin")


def task_of(container_id: str) -> str:
    """containerd's name of a container, from the one that it tells the CNI plugin."""
    return container_id[len(CONTAINERD_NAMESPACE) + 1:]


def run_command(pod: Mapping[str, Any]) -> list[str]:
    """The command that runs a pod of pods.json with the stand-in, in the foreground."""
    ports = [f"{port['protocol']}/{port['port']}" for port in pod["ports"]]
    if pod["host_network"]:
        # Not --net-host, which also binds /etc/resolv.conf, and fails on a host that has none.
        network = ["--with-ns", "network:/proc/1/ns/net"]
    else:
        network = ["--cni"]
        # Not on the host, where it may be anybody's.
        ports = ports or [DEFAULT_PORT]
    return [*_CTR, "run", "--rm", "--rootfs", "--read-only", *network, "--mount", "type=bind,src=/usr,dst=/usr,options=rbind:ro",
            str(ROOT), task_of(pod["container_id"]), ENGINE, "standin", f"{pod['namespace']}/{pod['name']}", *ports]


def make_root() -> None:
    """The shared root file system; complete already or not, it is afterwards."""
    for name in _MOUNT_POINTS:
        (ROOT / name).mkdir(parents=True, exist_ok=True)
    for name in _LINKS_INTO_USR:
        if not (ROOT / name).is_symlink():
            (ROOT / name).symlink_to(f"usr/{name}")


def remove_root() -> None:
    """Undo :func:`make_root`. Entry by entry and only what is empty: were anything still mounted there, it would be the node's own."""
    with suppress(OSError):
        for name in _LINKS_INTO_USR:
            (ROOT / name).unlink(missing_ok=True)
        for name in _MOUNT_POINTS:
            (ROOT / name).rmdir()
        ROOT.rmdir()
        ROOT.parent.rmdir()


def running_tasks() -> dict[str, int]:
    """containerd's name of each running container and the id of its first process; none where containerd does not answer."""
    try:
        listed = subprocess.run([*_CTR, "task", "list"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return {}
    rows = [line.split() for line in listed.stdout.splitlines()[1:]]
    return {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[2] == "RUNNING"}


def clear(task: str) -> None:
    """Remove a container and its task, which a crash of the node or of `ctr` has left; nothing if there is none."""
    if subprocess.run([*_CTR, "container", "info", task], capture_output=True, check=False).returncode:
        return
    subprocess.run([*_CTR, "task", "delete", "--force", task], capture_output=True, check=False)
    removed = subprocess.run([*_CTR, "container", "delete", task], capture_output=True, text=True, check=False)
    if removed.returncode:
        raise SluiceError(f"the container {task} of an earlier run could not be removed: {removed.stderr.strip()}")
