# SPDX-License-Identifier: Apache-2.0
"""The planned pods of a node as systemd units: what is, what is to be, and the steps between. No I/O."""
from __future__ import annotations

import json
from typing import Any, List, Mapping, NamedTuple, Sequence

from ..errors import InputError, Problem
from .containers import ENGINE, task_of

TEMPLATE = "sluice-pod@.service"

# Each part of a stop has so many seconds. Who clears up must not be ended half way on a node that is busy: containerd then has a task that
# belongs to no container, which nothing but the end of its shim removes.
_STOP_SECONDS = 60

UNIT_TEXT = f"""\
# Made by Sluice. One instance a pod, which /etc/sluice/workloads/<instance>.json describes.
[Unit]
Description=Sluice pod %i
After=network.target containerd.service sluice-node.service
Wants=containerd.service
StartLimitIntervalSec=0

[Service]
ExecStart={ENGINE} run-pod %i
ExecStopPost={ENGINE} clear-pod %i
Restart=always
RestartSec=1
TimeoutStopSec={_STOP_SECONDS}

[Install]
WantedBy=multi-user.target
"""

# What a pod's container is made from: a change of the others (labels, owner) needs no new container.
_DEFINING = ("namespace", "name", "container_id", "host_network", "ips", "mac", "ofport", "interface", "mtu", "ports")


class Workload(NamedTuple):
    """One pod on the node."""

    definition: str
    """Text of its file; empty if there is none."""
    enabled: bool
    """Whether it starts with the node."""
    started: bool


class Workloads(NamedTuple):
    """All pods of the node, by containerd's name for them."""

    template: str
    """Text of the template unit; empty if there is none."""
    pods: Mapping[str, Workload]


class Steps(NamedTuple):
    """What makes one state of the node another; nothing at all if they are the same."""

    write_template: bool
    remove_template: bool
    stop: Sequence[str]
    """Pods that end for good."""
    write: Mapping[str, str]
    """Pod to text of its file."""
    enable: Sequence[str]
    restart: Sequence[str]
    """Pods to start, or to start again."""

    @property
    def are_none(self) -> bool:
        return not any(self)


def parse_config(config: Mapping[str, Any]) -> Workloads:
    """The wanted state of a node whose pods.json is ``config``. Raises InputError with every pod that is not complete."""
    pods = config.get("pods")
    if not isinstance(pods, list):
        raise InputError([Problem("config", "", "pods", "is missing or not a list", "the content of pods.json")])
    problems: List[Problem] = []
    wanted = {}
    for number, pod in enumerate(pods):
        missing = [key for key in _DEFINING if not isinstance(pod, dict) or key not in pod]
        problems += [Problem("config", "", f"pods[{number}].{key}", "is missing", "what pods.json says of every pod") for key in missing]
        if not missing:
            definition = json.dumps({key: pod[key] for key in (*_DEFINING, "vf") if key in pod}, indent=2, sort_keys=True) + "\n"
            wanted[task_of(pod["container_id"])] = Workload(definition, enabled=True, started=True)
    if problems:
        raise InputError(problems)
    return Workloads(UNIT_TEXT, wanted)


NOTHING = Workloads("", {})
"""The wanted state of a node that is to have no pods, and nothing left of them."""


def plan(before: Workloads, after: Workloads) -> Steps:
    """The steps from one state to the other; a pod that is as wanted is not touched."""
    changed = {task for task, pod in after.pods.items() if pod.definition != _of(before, task).definition}
    return Steps(
        write_template=after.template != "" and before.template != after.template,
        remove_template=after.template == "" and before.template != "",
        stop=sorted(set(before.pods) - set(after.pods)),
        write={task: after.pods[task].definition for task in sorted(changed)},
        enable=sorted(task for task in after.pods if not _of(before, task).enabled),
        restart=sorted(task for task in after.pods if task in changed or not _of(before, task).started))


def describe(workloads: Workloads) -> str:
    """The state as text, for a diff."""
    lines = [f"{TEMPLATE}:\n{workloads.template}"] if workloads.template else []
    for task, pod in sorted(workloads.pods.items()):
        state = f"{'started' if pod.started else 'stopped'}, {'enabled' if pod.enabled else 'disabled'}"
        lines.append(f"{task}: {state}\n{pod.definition}")
    return "\n".join(lines)


def _of(workloads: Workloads, task: str) -> Workload:
    return workloads.pods.get(task, Workload("", enabled=False, started=False))
