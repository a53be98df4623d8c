# SPDX-License-Identifier: Apache-2.0
"""A case a folder: state.json makes the ClusterState, ``expected/`` is what it compiles to, to the byte.

``python tests/unit/compile/test_golden.py`` writes ``expected/`` anew; review the difference with git.
"""
from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from sluice.compile.artifacts import artifact_files, read_files
from states import cluster_state

CASES = sorted(path.parent for path in Path(__file__).parent.glob("cases/*/state.json"))


def compiled(case: Path) -> dict[str, str]:
    settings = json.loads((case / "state.json").read_text())
    return dict(artifact_files(cluster_state(**settings)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_compiles_to_the_reviewed_bytes(case: Path) -> None:
    actual = compiled(case)
    expected = read_files(case / "expected")
    assert sorted(actual) == sorted(expected)
    for file, text in actual.items():
        assert text == expected[file], file


if __name__ == "__main__":
    for folder in CASES:
        shutil.rmtree(folder / "expected", ignore_errors=True)
        for name, content in compiled(folder).items():
            target = folder / "expected" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
