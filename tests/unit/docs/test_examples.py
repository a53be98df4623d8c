# SPDX-License-Identifier: Apache-2.0
"""The inventories that users copy load, as Ansible reads them and with hosts that might be theirs: production, and those in the pages."""
from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2]))

from documents import PAGES, ROOT, blocks
from sluice.compile.artifacts import artifact_files
from sluice.intent.variables import VARIABLES
from sluice.plan.planner import Made, make_state

PRODUCTION = ROOT / "inventories/production"
COMPLETE = ROOT / "docs/bootstrap.md"
"""The page whose inventory is whole; the blocks of other pages are additions to it."""
PLAYBOOK_VARIABLES = ("sluice_verify_outside",)


def read(inventory: Path) -> dict[str, dict[str, Any]]:
    """Every node's variables, as Ansible has them."""
    hosts: dict[str, dict[str, Any]] = json.loads(run("ansible-inventory", "-i", str(inventory / "hosts.yml"), "--list"))["_meta"]["hostvars"]
    return hosts


def run(command: str, *arguments: str) -> str:
    """What one of Ansible's commands prints."""
    done = subprocess.run([str(Path(sys.executable).with_name(command)), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def load(inventory: Path) -> Made:
    """The state of the inventory, with hosts that have just what it expects."""
    found = read(inventory)
    hosts = {host: {"vars": {name: value for name, value in values.items() if name.startswith("sluice_")},
                    "facts": facts(number, values.get("sluice_transport_interface") or "eno1")}
             for number, (host, values) in enumerate(sorted(found.items()), 11)}
    return make_state(hosts[min(hosts)]["vars"], hosts, str(inventory), PLAYBOOK_VARIABLES)


def facts(number: int, interface: str) -> dict[str, Any]:
    return {"architecture": "x86_64", "routes": [{"destination": "default", "via": "172.31.0.1", "device": interface}], "interfaces": {
        "lo": {"mtu": 65536, "mac": "00:00:00:00:00:00", "addresses": ["127.0.0.1/8", "::1/128"]},
        interface: {"mtu": 1500, "mac": f"52:54:00:00:00:{number:02x}", "addresses": [f"172.31.0.{number}/24"]}}}


def test_production_loads_and_compiles() -> None:
    made = load(PRODUCTION)
    nodes = {pod.key.partition("-")[0]: pod.node for pod in made.state.pods.values()}
    assert sorted(nodes) == ["web/db", "web/resolver", "web/web"]
    assert nodes["web/db"] == "node3"
    assert nodes["web/resolver"] == "node1"
    assert made.state.pods["web/resolver"].ips == ("10.128.0.53", "fd00:10:128::35")
    assert "node3/flows.txt" in dict(artifact_files(made.state))


def test_production_has_every_variable() -> None:
    text = (PRODUCTION / "group_vars/all/sluice.yml").read_text()
    assert {variable.name for variable in VARIABLES if f"{variable.name}:" not in text} == set()


def test_production_comments_show_the_defaults(tmp_path: Path) -> None:
    """What is commented out can be taken in as it is, and then changes nothing."""
    inventory = tmp_path / "production"
    shutil.copytree(PRODUCTION, inventory)
    file = inventory / "group_vars/all/sluice.yml"
    file.write_text(re.sub(r"^# (sluice_\w+: )", r"\1", file.read_text(), flags=re.MULTILINE))
    assert "\nsluice_mtu: auto\n" in file.read_text()
    assert load(inventory).state == load(PRODUCTION).state


def pages_with(word: str) -> list[Path]:
    return [page for page in PAGES if any(block.words[:1] == (word,) for block in blocks(page))]


@pytest.mark.parametrize("page", pages_with("inventory"), ids=lambda page: page.stem)
def test_inventories_of_pages_load(page: Path, tmp_path: Path) -> None:
    for source in dict.fromkeys((COMPLETE, page)):
        for block in blocks(source):
            if block.words[:1] == ("inventory",):
                file = tmp_path / block.words[1]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text)
    assert load(tmp_path).state.pods


def test_bootstrap_has_a_complete_inventory() -> None:
    assert {block.words[1] for block in blocks(COMPLETE) if block.words[:1] == ("inventory",)} == {
        "hosts.yml", "group_vars/all/sluice.yml", "manifests/web.yml"}


@pytest.mark.parametrize("page", pages_with("playbook"), ids=lambda page: page.stem)
def test_playbooks_of_pages_are_playbooks(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        if block.words[:1] == ("playbook",):
            file = tmp_path / block.words[1]
            file.write_text(block.text)
            assert yaml.safe_load(block.text)[0]["tasks"]
            run("ansible-playbook", "--syntax-check", str(file))
