# SPDX-License-Identifier: Apache-2.0
"""Makes the next version of each installed package of Open vSwitch and prints the files.

Content and maintainer scripts are the distribution's own, so that dpkg does what it does at a point release; there may be none at the time. Only
the version is written anew (deb(5), ar(5)): an emulated processor takes minutes to unpack and pack what is in a package.
"""
from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Iterator

_MAGIC = b"!<arch>\n"


def next_version(deb: bytes, version: str) -> bytes:
    """The package ``deb`` with a higher version than ``version``, which it has, and which its dependencies name."""
    parts = [_MAGIC]
    for name, content in _members(deb):
        if name.startswith("control.tar"):
            name, content = "control.tar", _control(content, version)
        parts += [f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode(), content, b"\n" * (len(content) % 2)]
    return b"".join(parts)


def _members(archive: bytes) -> Iterator[tuple[str, bytes]]:
    at = len(_MAGIC)
    while at < len(archive):
        name, size = archive[at:at + 16].decode().strip(" /"), int(archive[at + 48:at + 58])
        yield name, archive[at + 60:at + 60 + size]
        at += 60 + size + size % 2


def _control(archive: bytes, version: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as old, tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as new:
        for member in old:
            file = old.extractfile(member)
            content = file.read() if file else b""
            if member.name == "./control":
                content = content.replace(version.encode(), f"{version}+sluice1".encode())
                member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return made.getvalue()


def main(repository: Path) -> None:
    """Of what is installed, from the packages in ``repository``."""
    shown = "${db:Status-Status} ${source:Package} ${Package} ${Version}\n"
    installed = subprocess.run(["dpkg-query", "--show", f"--showformat={shown}"], stdout=subprocess.PIPE, text=True, check=True).stdout
    folder = Path(tempfile.mkdtemp())
    for line in installed.splitlines():
        status, _space, rest = line.partition(" ")
        source, *names = rest.split()
        if status == "installed" and source == "openvswitch":
            package, version = names
            file = folder / f"{package}.deb"
            file.write_bytes(next_version(next(repository.glob(f"{package}_*.deb")).read_bytes(), version))
            print(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
