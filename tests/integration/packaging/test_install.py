# SPDX-License-Identifier: Apache-2.0
"""Sluice works from a checkout, from ``pip install .`` and from the tarball of the collection, each in an empty environment."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CORE = {(3, 11): "ansible-core>=2.19,<2.20", (3, 13): "ansible-core>=2.21,<2.22"}
"""What is to be had for each Python."""

TARBALL = {"MANIFEST.json", "FILES.json", "LICENSE", "README.md", "changelogs", "docs", "meta", "playbooks", "plugins", "roles", "tests"}
TARBALL_MAX = 1_000_000
"""Bytes."""

INVENTORY = """\
sluice_nodes:
  hosts:
    alone:
      ansible_connection: local
      ansible_python_interpreter: /usr/bin/python3
      sluice_pod_cidrs: [10.10.0.0/16]
      sluice_transport_interface: lo
      observed:
        interfaces: {lo: {mtu: 1500, mac: "", addresses: [192.0.2.1/24]}}
        routes: []
"""
PLAYBOOK = """\
- hosts: sluice_nodes
  gather_facts: false
  tasks:
    - sluice.fabric.compile:
        facts_variable: observed
      run_once: true
    - sluice.fabric.node_info:
        packages: [bash]
      register: found
    - ansible.builtin.debug:
        msg: "bash is {{ found.packages.bash }}"
"""


def pythons() -> list[Path]:
    """One interpreter for each Python that CORE names and that this machine has."""
    roots = Path(os.environ.get("PYENV_ROOT", "/nonexistent"), "versions")
    found: dict[tuple[int, int], Path] = {}
    for candidate in [Path(sys.executable).resolve(), *(Path(folder) / f"python3.{minor}" for folder in ("/usr/bin", "/usr/local/bin") for minor in (11, 13)),
                      *sorted(roots.glob("3.1*/bin/python3"))]:
        if candidate.exists():
            version = subprocess.run([candidate, "-c", "import sys, ensurepip; print(*sys.version_info[:2])"], capture_output=True, text=True, check=False)
            if version.returncode == 0:
                major, minor = map(int, version.stdout.split())
                found.setdefault((major, minor), candidate)
    return [found[key] for key in CORE if key in found]


def make_environment(python: Path, folder: Path) -> Path:
    subprocess.run([python, "-m", "venv", folder], check=True)
    return folder / "bin"


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE") and name != "PYTHONPATH"}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env={**kept, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=600, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def make_project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "hosts.yml").write_text(INVENTORY)
    (folder / "play.yml").write_text(PLAYBOOK)
    return folder


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone's work tree: what git knows and nothing that was built here."""
    folder = tmp_path_factory.mktemp("checkout") / "fabric"
    folder.mkdir()
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "--null", "-T", "-", "-cf", folder / "x.tar"], cwd=ROOT, input=files, check=True)
    subprocess.run(["tar", "-xf", "x.tar"], cwd=folder, check=True)
    (folder / "x.tar").unlink()
    return folder


@pytest.fixture(scope="module", params=pythons(), ids=str)
def core(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with ansible-core and what Sluice needs beside it, without Sluice."""
    major, minor = map(int, run(request.param, "-c", "import sys; print(*sys.version_info[:2])", cwd=ROOT).split())
    folder = make_environment(request.param, tmp_path_factory.mktemp("core") / "venv")
    run(folder / "pip", "install", "-q", CORE[major, minor], cwd=folder)
    return folder


def test_both_pythons_are_tested() -> None:
    if len(pythons()) < len(CORE):
        pytest.skip(f"only {len(pythons())} of the Pythons {sorted(CORE)} are on this machine")


def assert_runs(core: Path, project: Path, **environment: str) -> None:
    output = run(core / "ansible-playbook", "-i", "hosts.yml", "play.yml", cwd=project, **environment)
    assert "bash is " in output
    assert json.loads((project / "artifacts/sluice/alone/host.json").read_text())["sysctl"]["net.ipv4.ip_forward"] == "1"


def test_from_a_checkout(core: Path, checkout: Path, tmp_path: Path) -> None:
    assert_runs(core, make_project(tmp_path / "project"), ANSIBLE_CONFIG=str(checkout / "ansible.cfg"), ANSIBLE_COLLECTIONS_PATH=str(checkout / "collections"))


def test_from_the_collection_tarball(core: Path, checkout: Path, tmp_path: Path) -> None:
    run(core / "ansible-galaxy", "collection", "build", "--output-path", tmp_path, cwd=checkout)
    tarball = tmp_path / "sluice-fabric-0.1.0.tar.gz"
    assert tarball.stat().st_size < TARBALL_MAX
    with tarfile.open(tarball) as file:
        assert {name.split("/")[0] for name in file.getnames()} <= TARBALL
    run(core / "ansible-galaxy", "collection", "install", "--offline", tarball, "-p", tmp_path / "collections", cwd=tmp_path)
    installed = tmp_path / "collections/ansible_collections/sluice/fabric"
    # What a collection may consist of; it has to work with these alone.
    for entry in installed.iterdir():
        if entry.name not in ("meta", "plugins", "roles", "playbooks", "MANIFEST.json", "FILES.json"):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    project = make_project(tmp_path / "project")
    assert_runs(core, project, ANSIBLE_COLLECTIONS_PATH=str(tmp_path / "collections"))
    listed = run(core / "ansible-playbook", "-i", "hosts.yml", "sluice.fabric.site", "--list-tasks", cwd=project,
                 ANSIBLE_COLLECTIONS_PATH=str(tmp_path / "collections"))
    assert "Put the flows" in listed


def test_pip_install(core: Path, checkout: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    bin_folder = make_environment(core / "python", environment)
    run(bin_folder / "pip", "install", "-q", checkout, cwd=tmp_path)
    assert run(bin_folder / "sluice", "version", cwd=tmp_path).strip() == "0.1.0"
    assert run(bin_folder / "sluice", "--help", cwd=tmp_path).startswith("usage: sluice")
    assert subprocess.run([bin_folder / "sluice", "--wrong"], capture_output=True, check=False).returncode == 2
    run(bin_folder / "python", "-c", "import sluice.compile.inventory, sluice.ovs.flow_apply, sluice.node.cni.plugin", cwd=tmp_path)
    assert "site-packages" in run(bin_folder / "python", "-c", "import sluice; print(sluice.__file__)", cwd=tmp_path)


@pytest.mark.parametrize("core", pythons()[:1], indirect=True, ids=str)
def test_modules_are_sane_for_the_oldest_core(core: Path) -> None:
    """For the newest, scripts/test.sh sanity runs all of ansible-test's sanity tests."""
    run(ROOT / "scripts/sanity.sh", core, "--test", "import", "--test", "validate-modules", cwd=ROOT)
