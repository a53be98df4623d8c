# SPDX-License-Identifier: Apache-2.0
"""The audit log: lines of ``key=value``, in files of a bounded size."""
from __future__ import annotations

import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Iterable, Mapping, Union

SIZE_MAX = 10_000_000
OLDER_FILES = 2
"""``policy.log.1`` is older than ``policy.log``, ``policy.log.2`` the oldest."""

_PLAIN = re.compile(r"[^\s\"'=\\\x00-\x1f\x7f-\x9f]+")


def line(wall: float, values: Mapping[str, Union[str, int, float]]) -> str:
    """One line: the local time with its offset from UTC, then the values, without those that are empty.

    A value with spaces or other special characters is quoted as in JSON, so that nothing in it can look like another value or line.
    """
    time = datetime.fromtimestamp(wall).astimezone().isoformat(timespec="milliseconds")
    return " ".join([time, *(f"{key}={_quoted(str(value))}" for key, value in values.items() if value != "")])


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def append(path: Path, lines: Iterable[str]) -> None:
    """Adds lines. A file that would get too large is renamed first, and the oldest one goes. Raises OSError.

    The file is opened anew each time, so that whoever else moves or removes it need not tell the agent.
    """
    text = "".join(f"{text}\n" for text in lines)
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size + len(text) > SIZE_MAX:
        for number in range(OLDER_FILES, 1, -1):
            older = Path(f"{path}.{number - 1}")
            if older.exists():
                older.replace(f"{path}.{number}")
        path.replace(f"{path}.1")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640), "w", encoding="utf-8") as file:
        file.write(text)
