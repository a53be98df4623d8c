# SPDX-License-Identifier: Apache-2.0
"""Traffic in the pods of a lab, in a process of its own, so that compiling does not hold it up."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path as File
from types import TracebackType
from typing import Any

from live.path import Path, Record, Stream

from conformance.place import Place

ROOT = File(__file__).parents[3]
RATE = 1200.0
"""Packets a second over UDP and ICMP; answers to pings and the streams come on top."""


class Load:
    """A context manager that sends from its beginning on; ``records`` and ``streams`` are there once `stop` was called."""

    def __init__(self, places: Mapping[str, Place], paths: Sequence[Path], addresses: Mapping[str, str], ports: Mapping[str, Sequence[int]],
                 rate: float = RATE) -> None:
        """``addresses`` are those of the paths' destinations; ``ports`` are listened on in all places, by protocol."""
        self.paths = list(paths)
        self.records: dict[Path, Record] = {}
        self.streams: dict[Path, Stream] = {}
        given = {"places": {name: (place.netns, place.address) for name, place in places.items()}, "paths": [astuple(path) for path in paths],
                 "addresses": [addresses[path.destination] for path in paths], "ports": {kind: list(some) for kind, some in ports.items()}, "rate": rate}
        environment = {**os.environ, "PYTHONPATH": ":".join(str(ROOT / part) for part in ("src", "tests", "tests/integration"))}
        self._process = subprocess.Popen([sys.executable, "-m", "live.load_process"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                         env=environment, pass_fds=[place.netns for place in places.values()])
        self._say(json.dumps(given))
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "running\n":
            raise RuntimeError("the process that sends and receives did not start")

    def __enter__(self) -> Load:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def stop(self) -> None:
        """End it in peace, with all that is still on its way."""
        self._say("stop")
        output, _errors = self._process.communicate(timeout=60)
        result: dict[str, Any] = json.loads(output)
        for number, record in result["records"].items():
            arrived, answered = ({int(key): when for key, when in record[what].items()} for what in ("arrived", "answered"))
            self.records[self.paths[int(number)]] = Record(record["sent"], arrived, answered)
        self.streams = {self.paths[int(number)]: Stream(**stream) for number, stream in result["streams"].items()}

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
