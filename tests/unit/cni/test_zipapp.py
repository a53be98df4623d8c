# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import sluice
from sluice.zipapp_build import build_zipapp

ENGINE = Path(sluice.__file__).parent


def test_it_is_the_same_bytes_whatever_the_checkout(tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(ENGINE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for file in copy.rglob("*.py"):
        file.chmod(0o600)
        file.touch()
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "left.cpython-311.pyc").write_bytes(b"x")
    assert build_zipapp(copy) == build_zipapp(ENGINE)


def test_a_changed_engine_has_another_checksum(tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(ENGINE, copy)
    (copy / "errors.py").write_text("")
    assert build_zipapp(copy).sha256 != build_zipapp(ENGINE).sha256


def test_it_runs_with_the_nodes_python(tmp_path: Path) -> None:
    zipapp = build_zipapp(ENGINE)
    file = tmp_path / "sluice.pyz"
    file.write_bytes(zipapp.content)
    file.chmod(0o755)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == zipapp.sha256
    assert subprocess.run([file, "version"], capture_output=True, text=True, check=True).stdout == f"{sluice.__version__}\n"
    unknown = subprocess.run([file, "reboot"], capture_output=True, text=True, check=False)
    assert unknown.returncode == 2 and unknown.stderr.startswith("usage:")
    for arguments in ([], ["version", "now"], ["run-pod"]):
        wrong = subprocess.run([file, *arguments], capture_output=True, text=True, check=False)
        assert (wrong.returncode, wrong.stdout, wrong.stderr) == (2, "", unknown.stderr)
    for asked in ("help", "--help", "-h"):
        helped = subprocess.run([file, asked], capture_output=True, text=True, check=True)
        assert (helped.stdout, helped.stderr) == (unknown.stderr, "")
