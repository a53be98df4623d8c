# SPDX-License-Identifier: Apache-2.0
"""The name under which containerd and the CNI plugin know a pod of the inventory."""
from __future__ import annotations

import hashlib
import re

CONTAINERD_NAMESPACE = "sluice"
"""containerd hands the CNI plugin ``<its namespace>-<container>`` as CNI_CONTAINERID."""

TASK_NAME_MAX = 60
_LEGAL = re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")
_HASH_LENGTH = 10


def task_name(namespace: str, name: str) -> str:
    """The containerd container of a pod: ``namespace.name``, or a shortened form that ends in a hash of it.

    A legal pod name is not always a legal containerd identifier, which allows no two separators in a row.
    """
    whole = f"{namespace}.{name}"
    if len(whole) <= TASK_NAME_MAX and _LEGAL.fullmatch(whole):
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_HASH_LENGTH]
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", re.sub(r"[._-]+", lambda run: run.group()[0], whole))
    return f"{readable[:TASK_NAME_MAX - _HASH_LENGTH - 1].strip('._-')}-{digest}"


def container_id(namespace: str, name: str) -> str:
    """The CNI_CONTAINERID of a pod of the inventory, which is ``container_id`` in pods.json."""
    return f"{CONTAINERD_NAMESPACE}-{task_name(namespace, name)}"
