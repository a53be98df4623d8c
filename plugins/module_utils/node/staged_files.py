# SPDX-License-Identifier: Apache-2.0
"""Files that have to say what a bridge has: written beside their places first, where a full disk shows, and moved into place once it has it."""
from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Mapping, Optional, Type

from ..errors import SluiceError

MODE = 0o644


def differing(files: Mapping[str, str]) -> dict[str, str]:
    """Those of ``files`` (path to text) that are not on this machine with just that text.

    Raises SluiceError for one that is given as something else, or cannot be read.
    """
    different = {}
    for path, text in sorted(files.items()):
        if not isinstance(text, str):
            raise SluiceError(f"files: what {path} is to have is not a text")
        try:
            if Path(path).read_text(encoding="utf-8") == text:
                continue
        except (FileNotFoundError, UnicodeDecodeError):
            pass
        except OSError as error:
            raise SluiceError(f"{path} cannot be read: {error.strerror}") from error
        different[path] = text
    return different


class StagedFiles:
    """Within the context the texts are on disk under other names; ``move`` gives them their own, and without it they are gone again."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._staged: dict[str, str] = {}

    def __enter__(self) -> StagedFiles:
        path = ""
        try:
            for path, text in self._files.items():
                place = Path(path)
                place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                handle, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
                self._staged[path] = temporary
                with os.fdopen(handle, "w", encoding="utf-8") as stream:
                    stream.write(text)
                    os.fchmod(stream.fileno(), MODE)
                    stream.flush()
                    # Without it a power cut could leave an empty file under the final name.
                    os.fsync(stream.fileno())
        except OSError as error:
            # __exit__ is not called for what was not entered.
            self._clear()
            raise SluiceError(f"{path} cannot be written, so nothing was changed: {error.strerror}") from error
        return self

    def move(self) -> None:
        """Every file under its own name. Raises SluiceError."""
        for path, temporary in list(self._staged.items()):
            try:
                Path(temporary).replace(path)
            except OSError as error:
                raise SluiceError(f"{path} cannot be written: {error.strerror}; run again") from error
            del self._staged[path]

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self._clear()

    def _clear(self) -> None:
        for temporary in self._staged.values():
            Path(temporary).unlink(missing_ok=True)
        self._staged.clear()
