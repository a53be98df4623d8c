# SPDX-License-Identifier: Apache-2.0
"""Runs the host engine once, as a process that a test puts into a network namespace: a JSON request on stdin, a JSON answer on stdout."""
from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from sluice.errors import SluiceError
from sluice.node.host.converge import absent, present


def main() -> None:
    request = json.load(sys.stdin)
    root = Path(request["root"])
    try:
        if request["state"] == "present":
            result = present(request["config"], check=request["check"], root=root, wait=request["wait"], remember=request["remember"])
        else:
            result = absent(request["config"], check=request["check"], root=root)
    except SluiceError as error:
        print(json.dumps({"error": str(error)}))
    else:
        print(json.dumps(asdict(result)))


main()
