# SPDX-License-Identifier: Apache-2.0
"""The package repository that nodes without internet install from: a folder of .debs, complete in its dependencies."""
from __future__ import annotations

import gzip
from pathlib import Path
from typing import Callable, Optional

from .command import run
from .files import build_once, discard, unfinished, write
from .image import Progress, Stock, content_hash


def repository_name(stock: Stock, image: str) -> str:
    """The name in the cache of the repository that installs the stock's packages on the root file system ``image``."""
    return "apt-" + content_hash([image, sorted(set(stock.packages))])


def build_repository(stock: Stock, image: Path, progress: Progress, pack: Optional[Callable[[Path], None]] = None) -> Path:
    """The folder with the packages, all that they need beyond ``image``, and an index, in the form that ``pack`` gives it; built if the cache has none."""
    packages, name = sorted(set(stock.packages)), repository_name(stock, image.name)

    def build(folder: Path) -> None:
        progress(f"downloading {', '.join(packages)} and what they need (once)")
        work = unfinished(stock.cache / "apt-work")
        apt = _apt_for(image, work, folder)
        with stock.source.keyring() as keyring:
            write(work / "sources.list", "\n".join(stock.source.lines(keyring)) + "\n")
            run([*apt, "update"])
        run([*apt, "--download-only", "--no-install-recommends", "--yes", "install", *packages])
        discard(work)
        (folder / "lock").unlink(missing_ok=True)
        (folder / "partial").rmdir()
        index = run(["sh", "-c", 'cd "$1" && apt-ftparchive packages .', "sh", str(folder)])
        write(folder / "Packages", index)
        (folder / "Packages.gz").write_bytes(gzip.compress(index.encode(), mtime=0))
        folder.chmod(0o755)
        if pack:
            pack(folder)
        progress(f"package repository {name} is in the cache")

    return build_once(stock.cache, name, build)


def _apt_for(image: Path, work: Path, archives: Path) -> list[str]:
    # apt of the host, looking at the package database of the image: what is installed there need not be downloaded.
    for folder in ("lists/partial", "cache"):
        (work / folder).mkdir(parents=True)
    (archives / "partial").mkdir()
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
