# SPDX-License-Identifier: Apache-2.0
"""The engine runs under the oldest Python that nodes may have (python_requires in tests/config.yml)."""
from __future__ import annotations

import importlib
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLDEST = "3.9"

IMPORT_ALL = """
import importlib, pathlib, sys
source, others = map(pathlib.Path, sys.argv[1:])
sys.path[:0] = [str(source), str(others)]
names = sorted(".".join(path.relative_to(source).with_suffix("").parts) for path in source.glob("sluice/**/*.py"))
for name in names:
    importlib.import_module(name[:-len(".__init__")] if name.endswith(".__init__") else name)
print(len(names))
"""


def oldest_python() -> Path:
    roots = (Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions").glob(f"{OLDEST}.*/bin/python3")
    for candidate in [*(Path(folder, f"python{OLDEST}") for folder in ("/usr/bin", "/usr/local/bin")), *roots]:
        if candidate.exists():
            return candidate
    pytest.skip(f"this machine has no Python {OLDEST}")


def test_every_module_of_the_engine_can_be_imported(tmp_path: Path) -> None:
    # What Debian's packages give on a node; their Python parts are enough.
    for name in ("netaddr", "ovs", "sortedcontainers", "yaml"):
        (tmp_path / name).symlink_to(importlib.import_module(name).__path__[0])
    done = subprocess.run([oldest_python(), "-I", "-S", "-B", "-W", "error::SyntaxWarning", "-c", IMPORT_ALL, ROOT / "src", tmp_path],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
