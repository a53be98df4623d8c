# SPDX-License-Identifier: Apache-2.0
"""Keeps the engine's code for processes that outlive the module, whose own copy Ansible removes when the module ends."""
from __future__ import annotations

import sys
import zipfile
from pathlib import Path

PACKAGE = "sluice"
_MAIN = f"""\
import sys
from {PACKAGE}.ovs.confirmed.command import main
sys.exit(main(sys.argv[1:]))
"""


def write_engine(path: Path) -> None:
    """Write all of the engine that this process has loaded as a file that Python can run.

    It is asked of Python's import system (PEP 302, ``get_source``), so that it makes no difference where it was loaded from: a folder,
    or the archive that Ansible sends, whose form is Ansible's own affair.
    """
    own = __name__.rpartition(".ovs.")[0]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__main__.py", _MAIN)
        for name, module in sorted(sys.modules.items()):
            if name != own and not name.startswith(f"{own}."):
                continue
            spec = module.__spec__
            source = getattr(spec.loader, "get_source", lambda _name: None)(name) if spec else None
            place = (PACKAGE + name[len(own):]).replace(".", "/")
            # A folder without __init__.py has no source, and needs none.
            archive.writestr(f"{place}/__init__.py" if hasattr(module, "__path__") else f"{place}.py", source or "")
    path.chmod(0o600)
