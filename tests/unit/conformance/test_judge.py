# SPDX-License-Identifier: Apache-2.0
"""What counts as what was expected."""
from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from conformance.case_file import Case, Row
from conformance.judge import as_expected, endpoint_rows, refusal_fits, requests_of
from conformance.prober import Answer
from sluice.errors import InputError, Problem

ALLOWED = Answer("allow", "x/b", "10.0.0.2")
OTHER = Answer("allow", "x/c", "10.0.0.2")
DROPPED, REJECTED, ODD = Answer("drop"), Answer("reject"), Answer("error: no route")
ROW = Row("x/a", "x/b", 80, "TCP", True)
DENY = dataclasses.replace(ROW, allow=False)
SERVICE = Row("x/a", "svc:x/s", 80, "TCP", True, backends=("x/b", "x/c"))
CASE = Case(Path("c.json"), "c", "own", frozenset(), (), (), ({"namespace": "x", "name": "a"}, {"namespace": "x", "name": "b"}),
            ({"metadata": {"name": "s", "namespace": "x"}, "spec": {"ports": [{"port": 80}]}},),
            ({"kind": "BaselineAdminNetworkPolicy", "metadata": {"name": "default"}},), (), (), (), {}, "", "", 0)


@pytest.mark.parametrize(("row", "answers", "good"), [
    (ROW, [ALLOWED], True), (ROW, [DROPPED], False), (ROW, [REJECTED], False), (ROW, [ODD], False), (ROW, [OTHER], False),
    (dataclasses.replace(ROW, protocol="ICMP", port=0), [Answer("allow")], True),
    (dataclasses.replace(ROW, unknown='{"weather": "fine"}'), [ALLOWED], False),
    (DENY, [DROPPED], True), (DENY, [REJECTED], True), (DENY, [ALLOWED], False), (DENY, [ODD], False),
    (dataclasses.replace(DENY, verdict="drop"), [REJECTED], False), (dataclasses.replace(DENY, verdict="drop"), [DROPPED], True),
    (dataclasses.replace(DENY, verdict="reject"), [DROPPED], False), (dataclasses.replace(DENY, verdict="reject"), [REJECTED], True),
    (SERVICE, [ALLOWED], True), (SERVICE, [OTHER], True), (SERVICE, [Answer("allow", "x/d")], False),
    (dataclasses.replace(SERVICE, mode="all_reached"), [ALLOWED, OTHER], True), (dataclasses.replace(SERVICE, mode="all_reached"), [ALLOWED], False),
    (dataclasses.replace(SERVICE, mode="sticky"), [ALLOWED, ALLOWED], True), (dataclasses.replace(SERVICE, mode="sticky"), [ALLOWED, OTHER], False),
    (dataclasses.replace(SERVICE, mode="not_sticky"), [ALLOWED, OTHER], True),
    (dataclasses.replace(SERVICE, mode="not_sticky"), [ALLOWED, ALLOWED], False), (SERVICE, [ALLOWED, DROPPED], False),
    (dataclasses.replace(ROW, client_ip="10.0.0.2"), [ALLOWED], True), (dataclasses.replace(ROW, client_ip="10.0.0.3"), [ALLOWED], False),
    (dataclasses.replace(ROW, client_ip="gateway"), [ALLOWED], False),
    (dataclasses.replace(ROW, client_ip="gateway"), [Answer("allow", "x/b", "10.0.0.1")], True),
])
def test_answers(row: Row, answers: list[Answer], good: bool) -> None:
    assert as_expected(row, answers, {"10.0.0.1"}) is good


def test_requests() -> None:
    assert requests_of(ROW) == 1
    assert requests_of(dataclasses.replace(SERVICE, mode="sticky", requests=15)) == 15
    assert requests_of(dataclasses.replace(SERVICE, mode="all_reached", requests=7)) == 7
    assert requests_of(dataclasses.replace(SERVICE, mode="all_reached")) == 40


@pytest.mark.parametrize(("rejection", "path", "message", "fits"), [
    ("alerts.UnknownRuleActionErr", "spec.egress[0].action", "is Pass", True), ("alerts.UnknownRuleActionErr", "spec.subject", "is empty", False),
    ("alerts.BANPAlreadyExists", "metadata.name", "is there twice, first in a", True), ("alerts.SomethingNew(1)", "spec.x", "is odd", True),
])
def test_refusals(rejection: str, path: str, message: str, fits: bool) -> None:
    case = dataclasses.replace(CASE, rejection=rejection)
    assert refusal_fits(case, InputError([Problem("f", "BaselineAdminNetworkPolicy default", path, message)])) is fits
    assert not refusal_fits(case, InputError([Problem("f", "Service x/s", path, message)]))


def test_endpoints_as_rows() -> None:
    some = endpoint_rows(dataclasses.replace(CASE, endpoints={"x/s": ("x/b:80",)}))
    assert some == [Row("x/a", "svc:x/s", 80, "TCP", True, backends=("x/b",), mode="all_reached")]
    none = endpoint_rows(dataclasses.replace(CASE, endpoints={"x/s": ()}))
    assert none == [Row("x/b", "svc:x/s", 80, "TCP", False)]
