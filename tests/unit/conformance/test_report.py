# SPDX-License-Identifier: Apache-2.0
"""What a run says, and its exit status."""
from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from conformance.__main__ import main
from conformance.case_file import Case, Row, load_case
from conformance.report import closing, lines, write_junit
from conformance.run import FAIL, PASS, SKIP, Failure, Result


def write(folder: Path, name: str, allow: bool, requires: list[str]) -> Case:
    row = {"from": "x/a", "to": "x/b", "port": 80, "protocol": "TCP", "allow": allow}
    pods = [{"namespace": "x", "name": name, "labels": {}, "ports": []} for name in "ab"]
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"name": name, "corpus": "own", "requires": requires, "caveats": [], "namespaces": [{"name": "x", "labels": {}}],
                                "pods": pods, "services": [], "policies": [], "expected": [row]}))
    return load_case(file)


def test_lines_and_junit(tmp_path: Path) -> None:
    case = write(tmp_path, "one", True, [])
    results = [Result(case, PASS, 1, 0.5), Result(case, SKIP, 1, 0.0, "same-labels: no"),
               Result(case, FAIL, 1, 1.0, "", (Failure(Row("x/a", "x/b", 80, "TCP", True), "allow", "drop"),))]
    assert lines(results[0], 1, 3) == ["[1/3] PASS own/one  1 rows  0.5 s"]
    assert [line.split() for line in lines(results[2], 3, 3)[1:]] == [["from", "to", "port", "expected", "seen"], ["x/a", "x/b", "TCP", "80", "allow", "drop"]]
    assert closing(results) == "1 passed, 1 failed, 1 skipped"
    write_junit(results, tmp_path / "j.xml")
    suite = ElementTree.parse(tmp_path / "j.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert [[child.tag for child in case] for case in suite] == [[], ["skipped"], ["failure"]]


def test_the_exit_status_says_whether_any_failed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "good", True, [])
    write(tmp_path, "bad", False, ["k8s-np"])
    assert main([str(tmp_path), "--offline"]) == 1
    assert capfd.readouterr().out.splitlines()[-1] == "1 passed, 1 failed, 0 skipped"
    assert main([str(tmp_path), "--offline", "--only", "own/g*"]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "1 passed, 0 failed, 0 skipped"
    assert main([str(tmp_path), "--offline", "--skip-tag", "k8s-np"]) == 0
    assert main([str(tmp_path / "nowhere"), "--offline"]) == 2
