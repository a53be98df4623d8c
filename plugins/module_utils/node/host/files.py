# SPDX-License-Identifier: Apache-2.0
"""Regular files, written whole: a reader sees the old content or the new."""
from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Iterable, Optional

from ...errors import SluiceError
from .model import File


def _place(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def read(root: Path, path: str) -> Optional[File]:
    """:raises SluiceError: there is something that is not a regular file"""
    place = _place(root, path)
    try:
        status = place.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise SluiceError(f"{path} is not a regular file; Sluice writes only regular files: remove it or name another path")
        content = place.read_bytes().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SluiceError(f"{path} cannot be read: {error.strerror}") from error
    return File(content, stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid))


def missing_directories(root: Path, paths: Iterable[str]) -> list[str]:
    """The directories that writing ``paths`` will make."""
    return sorted({str(parent) for path in paths for parent in Path(path).parents if not _place(root, str(parent)).is_dir()})


def write(root: Path, path: str, file: File) -> None:
    """Atomically, with the directories above.

    :raises SluiceError: the file system refuses; the old file is still there
    """
    place, temporary = _place(root, path), ""
    try:
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(file.content.encode("utf-8", "surrogateescape"))
            os.fchown(stream.fileno(), *file.owner)
            os.fchmod(stream.fileno(), file.mode)
            stream.flush()
            # Without it a power cut could leave an empty file under the new name.
            os.fsync(stream.fileno())
        Path(temporary).replace(place)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise SluiceError(f"{path} cannot be written: {error.strerror}") from error


def remove(root: Path, path: str) -> None:
    try:
        _place(root, path).unlink(missing_ok=True)
    except OSError as error:
        raise SluiceError(f"{path} cannot be removed: {error.strerror}") from error


def remove_empty(root: Path, directories: Iterable[str]) -> None:
    """Deepest first; what has got something else in it stays."""
    for directory in sorted(directories, key=len, reverse=True):
        with suppress(OSError):
            _place(root, directory).rmdir()
