# SPDX-License-Identifier: Apache-2.0
"""Runs the host engine in a process that a test puts into a network namespace: JSON requests on stdin, a list of answers on stdout."""
from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sluice.errors import SluiceError
from sluice.node.host.converge import absent, present


def answer(request: dict[str, Any]) -> dict[str, Any]:
    root = Path(request["root"])
    try:
        if request["state"] == "present":
            result = present(request["config"], check=request["check"], root=root, wait=request["wait"], remember=request["remember"])
        else:
            result = absent(request["config"], check=request["check"], root=root)
    except SluiceError as error:
        return {"error": str(error)}
    return asdict(result)


json.dump([answer(request) for request in json.load(sys.stdin)], sys.stdout)
