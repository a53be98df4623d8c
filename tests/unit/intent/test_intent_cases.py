# SPDX-License-Identifier: Apache-2.0
"""Bad input, as data: cases/<case>/input.yml is an inventory, expected.yml every line that refuses it.

input.yml: ``vars`` (over CLUSTER), ``hosts`` (name to ``vars`` and ``facts``; default: node1 and node2, fresh), ``files`` (path to
text; allocations.yml is one like others).
"""
from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from fresh_hosts import CLUSTER, facts, hosts

from sluice.errors import InputError
from sluice.plan.planner import make_state

CASES = sorted(path.parent for path in Path(__file__).parent.glob("cases/*/input.yml"))


def _hosts(given: dict[str, Any]) -> dict[str, Any]:
    """Facts are the fresh ones of the host's ``number``, changed where the case says so."""
    made = {}
    for name, host in given.items():
        found = facts(host["number"]) if "number" in host else {}
        found.update(copy.deepcopy(host.get("facts", {})))
        made[name] = {"vars": host.get("vars", {}), "facts": found}
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_is_refused_with_exactly_these_problems(case: Path, tmp_path: Path) -> None:
    given = yaml.safe_load((case / "input.yml").read_text()) or {}
    for name, text in given.get("files", {}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    variables = {**CLUSTER, **given.get("vars", {})}
    with pytest.raises(InputError) as refused:
        make_state(variables, _hosts(given["hosts"]) if "hosts" in given else hosts(1, 2), str(tmp_path))
    lines = [str(problem).replace(str(tmp_path), "<inventory>") for problem in refused.value.problems]
    assert lines == yaml.safe_load((case / "expected.yml").read_text())
    assert "Traceback" not in str(refused.value)


def test_there_are_cases() -> None:
    assert len(CASES) > 20
