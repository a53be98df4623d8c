# SPDX-License-Identifier: Apache-2.0
"""The control groups of a lab: sluice-<lab>/<member>/{supervisor,machine} in every mounted hierarchy.

They say which processes belong to a node, whatever happened to the run that started them.
"""
from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from ..errors import SluiceError


def hierarchies() -> list[Path]:
    """The mount points of all cgroup hierarchies: one on a cgroup v2 host, one a controller on v1."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _device, mount_point, kind = line.split()[:3]
        if kind in ("cgroup", "cgroup2"):
            found.append(Path(mount_point))
    if not found:
        raise SluiceError("no cgroup hierarchy is mounted on this host; mount /sys/fs/cgroup and run again")
    return found


def create(group: str) -> list[Path]:
    """Make the control group ``group`` (a relative path) in every hierarchy; returns its folders."""
    folders = []
    for hierarchy in hierarchies():
        folder = hierarchy
        for part in Path(group).parts:
            parent, folder = folder, folder / part
            folder.mkdir(exist_ok=True)
            # A v1 cpuset without CPUs and memory nodes takes no process.
            for setting in ("cpuset.cpus", "cpuset.mems"):
                if (parent / "cgroup.procs").exists() and not (parent / "cgroup.controllers").exists() and (parent / setting).exists():
                    (folder / setting).write_text((parent / setting).read_text())
            _delegate(parent)
        folders.append(folder)
    return folders


def _delegate(folder: Path) -> None:
    # cgroup v2: a node's systemd and its container runtime can limit only what the parents hand down.
    controllers = folder / "cgroup.controllers"
    if not controllers.exists():
        return
    for controller in controllers.read_text().split():
        with contextlib.suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def processes(group: str) -> list[int]:
    """The ids of all processes in ``group`` and below."""
    found: set[int] = set()
    for folder in _folders(group):
        for path, _folders_below, _files in os.walk(folder):
            with contextlib.suppress(OSError):
                found.update(int(line) for line in (Path(path) / "cgroup.procs").read_text().split())
    return sorted(found - {0})


def exists(group: str) -> bool:
    """Whether any hierarchy has ``group``."""
    return bool(_folders(group))


def end(group: str, timeout: float = 20) -> None:
    """Kill every process in ``group`` and remove it from all hierarchies. Raises SluiceError if a process does not go away."""
    deadline = time.monotonic() + timeout
    while _folders(group):
        for process in processes(group):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for folder in _folders(group):
            for path, _folders_below, _files in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):
                    Path(path).rmdir()
        if not _folders(group):
            return
        if time.monotonic() > deadline:
            raise SluiceError(f"processes {processes(group)} of {group} do not end; look at them with ps and run again")
        time.sleep(0.05)


def _folders(group: str) -> list[Path]:
    return [hierarchy / group for hierarchy in hierarchies() if (hierarchy / group).is_dir()]
