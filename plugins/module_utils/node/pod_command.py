# SPDX-License-Identifier: Apache-2.0
"""What the unit of one pod executes: the pod's container in the foreground, and the clearing up after it."""
from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

from ..errors import SluiceError
from ..plan.container_id import CONTAINERD_NAMESPACE
from .containers import clear, make_root, run_command

DEFINITIONS = Path("/etc/sluice/workloads")
"""A file a pod, named for its unit's instance, with its entry of pods.json."""

NETWORK = Path("/etc/cni/net.d/10-sluice.conflist")
IFNAME = "eth0"
"""What containerd calls a container's only interface."""


def run_pod(task: str) -> None:
    """Become the process that runs the pod's container. Raises SluiceError."""
    pod = _read(DEFINITIONS / f"{task}.json")
    clear(task)
    make_root()
    command = run_command(pod)
    os.execvp(command[0], command)


def clear_pod(task: str) -> None:
    """Remove what is left of a pod's container and of its attachment, if `ctr` could not. Raises SluiceError."""
    clear(task)
    if NETWORK.exists():
        _detach(f"{CONTAINERD_NAMESPACE}-{task}")


def _detach(container_id: str) -> None:
    from .cni.plugin import main

    network = _read(NETWORK)
    config = {**network["plugins"][0], "cniVersion": network["cniVersion"], "name": network["name"]}
    environment = {"CNI_COMMAND": "DEL", "CNI_CONTAINERID": container_id, "CNI_IFNAME": IFNAME}
    answer = io.StringIO()
    if main(environment, io.StringIO(json.dumps(config)), answer):
        raise SluiceError(f"{container_id} could not be detached: {json.loads(answer.getvalue())['msg']}")


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SluiceError(f"{file} cannot be read ({error}); run the site playbook again") from error
