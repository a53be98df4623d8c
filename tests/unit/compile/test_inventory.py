# SPDX-License-Identifier: Apache-2.0
"""An inventory's files: what a compile would write, and what it keeps for hosts that are not there the next time."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.compile.artifacts import write_files
from sluice.compile.inventory import Compiled, compile_inventory
from sluice.errors import SluiceError

VARIABLES = {"sluice_pod_cidrs": ["10.10.0.0/16"], "sluice_cluster_name": "c", "sluice_transport_interface": "eth1",
             "sluice_pods": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "arm"}, "spec": {
                 "nodeSelector": {"kubernetes.io/arch": "arm64"}, "containers": [{"name": "x", "image": "x"}]}}]}


def facts(number: int) -> dict[str, Any]:
    return {"architecture": "aarch64" if number == 2 else "x86_64", "routes": [{"destination": "default", "via": "192.0.2.254", "device": "eth1"}],
            "interfaces": {"eth0": {"mtu": 1500, "mac": "0a:00:00:00:01:00", "addresses": ["198.51.100.1/24"]},
                           "eth1": {"mtu": 1500, "mac": f"0a:00:00:00:00:{number:02x}", "addresses": [f"192.0.2.{number}/24"]}}}


def compiled(folder: Path, **given: dict[str, Any]) -> Compiled:
    return compile_inventory(VARIABLES, {name: {"vars": VARIABLES, "facts": known} for name, known in given.items()}, str(folder))


def test_a_host_without_facts_is_what_it_was(tmp_path: Path) -> None:
    first = compiled(tmp_path, node1=facts(1), node2=facts(2))
    assert first.changed
    write_files(first.files)
    assert compiled(tmp_path, node1=facts(1), node2=facts(2)).changed == []
    assert compiled(tmp_path, node1=facts(1), node2={}).changed == []


def test_files_of_a_node_that_left_are_obsolete(tmp_path: Path) -> None:
    write_files(compiled(tmp_path, node1=facts(1), node2=facts(2), node3=facts(3)).files)
    second = compiled(tmp_path, node1=facts(1), node2=facts(2))
    obsolete = [path for path in second.changed if path not in second.files]
    assert {path.parent.name for path in obsolete} == {"node3"}
    write_files({path: second.files[path] for path in second.changed if path in second.files}, obsolete)
    assert not (second.directory / "node3").exists()
    assert compiled(tmp_path, node1=facts(1), node2=facts(2)).changed == []


def test_all_or_none_is_written(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("in the way of a folder")
    with pytest.raises(SluiceError, match=r"b/c: could not be written, and nothing was changed on any node"):
        write_files({tmp_path / "a": "new", tmp_path / "b/c": "new"})
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
