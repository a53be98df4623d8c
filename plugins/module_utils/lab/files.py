# SPDX-License-Identifier: Apache-2.0
"""Files and folders that are either whole or not there, whenever the run is killed."""
from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path
from typing import Callable, Iterator


def write(path: Path, text: str, mode: int = 0o644) -> bool:
    """Make ``path`` hold ``text`` with ``mode``, by a rename; returns whether that changed anything."""
    if path.exists() and path.read_text() == text and path.stat().st_mode & 0o7777 == mode:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        # fchmod, because a umask may have taken bits away from the mode given to open
        os.fchmod(file.fileno(), mode)
    new.replace(path)
    return True


def unfinished(path: Path) -> Path:
    """Where to build ``path`` before it is renamed into place. The leading dot tells it from what is whole."""
    return path.with_name(f".{path.name}.unfinished")


def removed(path: Path) -> Path:
    """Where ``path`` is while it is being removed."""
    return path.with_name(f".{path.name}.removed")


def discard(path: Path) -> None:
    """Remove a folder: first out of sight by a rename, so that a half-removed one is never taken for a whole one."""
    doomed = removed(path)
    if doomed.exists():
        shutil.rmtree(doomed)
    if path.exists():
        path.rename(doomed)
        shutil.rmtree(doomed)


def sweep(folder: Path) -> None:
    """Remove what an interrupted run left in ``folder``."""
    for pattern in (".*.unfinished", ".*.removed"):
        for leftover in folder.glob(pattern):
            shutil.rmtree(leftover)


def whole(folder: Path) -> list[str]:
    """The sorted names of the finished entries of ``folder``."""
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))


def build_once(cache: Path, name: str, build: Callable[[Path], None]) -> Path:
    """The folder ``name`` in ``cache``; ``build`` fills it, as a new folder of another name, if the cache has none. Safe to kill at any moment."""
    finished = cache / name
    if finished.is_dir():
        return finished
    with locked(cache / ".lock"):
        # Who had the lock before us may have built it.
        if not finished.is_dir():
            sweep(cache)
            new = unfinished(finished)
            new.mkdir()
            build(new)
            new.rename(finished)
    return finished


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock ``path``, waiting for whoever has it; the kernel frees it when the holder dies. Leaves no file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # The one before us may have removed the file while we waited: then our lock guards nothing.
            if not path.exists() or path.stat().st_ino != os.fstat(file.fileno()).st_ino:
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return
