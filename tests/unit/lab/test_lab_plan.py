# SPDX-License-Identifier: Apache-2.0
"""Which steps lead from one lab to another."""
from __future__ import annotations

from typing import Any

import pytest

from sluice.lab.plan import steps


def _state(network: str = "n", answers: bool = True, access: str = "a", **nodes: dict[str, Any]) -> dict[str, Any]:
    return {"network": network, "outside_answers": answers, "access": access, "nodes": nodes}


def _node(image: str = "i", interfaces: str = "1", running: bool = True, connected: bool = True) -> dict[str, Any]:
    return {"image": image, "interfaces": interfaces, "running": running, "connected": connected}


NOTHING = {"network": {}, "outside_answers": False, "access": "", "nodes": {}}


@pytest.mark.parametrize(("before", "after", "expected"), [
    (_state(a=_node()), _state(a=_node()), []),
    (NOTHING, _state(a=_node()), ["build network", "start outside", "create a", "start a", "write access"]),
    (_state(a=_node()), _state(a=_node(), b=_node()), ["create b", "start b", "write access"]),
    (_state(a=_node(), b=_node()), _state(b=_node()), ["remove a", "write access"]),
    (_state(a=_node(running=False, connected=False)), _state(a=_node()), ["start a"]),
    (_state(a=_node(connected=False)), _state(a=_node()), ["stop a", "start a"]),
    (_state(a=_node(interfaces="2")), _state(a=_node()), ["stop a", "configure a", "start a"]),
    (_state(a=_node(interfaces="2", running=False)), _state(a=_node()), ["configure a", "start a"]),
    (_state(a=_node(image="old")), _state(a=_node()), ["remove a", "create a", "start a", "write access"]),
    (_state("other", a=_node()), _state(a=_node()), ["stop a", "build network", "start outside", "start a"]),
    (_state(answers=False, a=_node()), _state(a=_node()), ["start outside"]),
    (_state(access="b", a=_node()), _state(a=_node()), ["write access"]),
])
def test_steps(before: dict[str, Any], after: dict[str, Any], expected: list[str]) -> None:
    assert [str(step) for step in steps(before, after)] == expected
