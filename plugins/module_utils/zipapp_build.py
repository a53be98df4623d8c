# SPDX-License-Identifier: Apache-2.0
"""The engine as one executable file for the nodes (Python's zipapp format), the same bytes wherever it is built."""
from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

PACKAGE = "sluice"
# -I: no variable, no user's folder and no current folder decides which code a root process runs.
_SHEBANG = b"#!/usr/bin/python3 -I\n"
_MAIN = f"""\
import sys
from {PACKAGE}.node.command import main
sys.exit(main(sys.argv[1:]))
"""
# The zip format's first day; the files' own times differ from checkout to checkout.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644


class Zipapp(NamedTuple):
    content: bytes
    sha256: str


def build_zipapp(engine: Path) -> Zipapp:
    """The zipapp of the engine in folder ``engine``; its command line is ``sluice.node.command``."""
    files = {"__main__.py": _MAIN.encode()}
    for path in engine.rglob("*.py"):
        files[f"{PACKAGE}/{path.relative_to(engine).as_posix()}"] = path.read_bytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, where the format would else record the builder's system
            entry.external_attr = _REGULAR_FILE << 16
            # Stored, because zlib's versions compress to different bytes, and Python then need not inflate on each CNI call.
            entry.compress_type = zipfile.ZIP_STORED
            file.writestr(entry, files[name])
    content = _SHEBANG + archive.getvalue()
    return Zipapp(content, hashlib.sha256(content).hexdigest())
