# SPDX-License-Identifier: Apache-2.0
"""The package repository that nodes without internet install from: a folder of .debs, complete in its dependencies."""
from __future__ import annotations

import gzip
from pathlib import Path
from typing import Callable, Optional, Sequence

from .command import run
from .files import discard, locked, sweep, unfinished, write
from .image import Source, content_hash

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def repository_name(image: str, packages: Sequence[str]) -> str:
    """The name in the cache of the repository that installs ``packages`` on the root file system ``image``."""
    return "apt-" + content_hash([image, sorted(set(packages))])


def build_repository(cache: Path, image: Path, source: Source, packages: Sequence[str], progress: Callable[[str], None],
                     pack: Optional[Callable[[Path], None]] = None) -> Path:
    """The folder with ``packages``, all that they need beyond ``image``, and an index, in the form that ``pack`` gives it; built if the cache has none.

    Safe to kill at any moment."""
    repository = cache / repository_name(image.name, packages)
    if repository.is_dir():
        return repository
    with locked(cache / ".lock"):
        if repository.is_dir():
            return repository
        sweep(cache)
        progress(f"downloading {', '.join(sorted(set(packages)))} and what they need (once)")
        folder, work = unfinished(repository), unfinished(cache / "apt-work")
        folder.mkdir()
        apt = _apt_for(image, work, folder, source)
        run([*apt, "update"])
        run([*apt, "--download-only", "--no-install-recommends", "--yes", "install", *sorted(set(packages))])
        discard(work)
        (folder / "lock").unlink(missing_ok=True)
        (folder / "partial").rmdir()
        index = run(["sh", "-c", 'cd "$1" && apt-ftparchive packages .', "sh", str(folder)])
        write(folder / "Packages", index)
        (folder / "Packages.gz").write_bytes(gzip.compress(index.encode(), mtime=0))
        folder.chmod(0o755)
        if pack:
            pack(folder)
        folder.rename(repository)
        progress(f"package repository {repository.name} is in the cache")
    return repository


def _apt_for(image: Path, work: Path, archives: Path, source: Source) -> list[str]:
    # apt of the host, looking at the package database of the image: what is installed there need not be downloaded.
    for folder in ("lists/partial", "cache"):
        (work / folder).mkdir(parents=True)
    (archives / "partial").mkdir()
    write(work / "sources.list", "\n".join(source.lines(f"signed-by={KEYRING}")) + "\n")
    options = {
        "APT::Architecture": run(["dpkg", "--print-architecture"]).strip(),
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Dir::State": str(work),
        "Dir::State::status": str(image / "var/lib/dpkg/status"),
        "Dir::State::lists": str(work / "lists"),
        "Dir::Cache": str(work / "cache"),
        "Dir::Cache::archives": str(archives),
        "Dir::Etc::sourcelist": str(work / "sources.list"),
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
    }
    return ["apt-get", "--quiet", *(f"--option={name}={value}" for name, value in options.items())]
