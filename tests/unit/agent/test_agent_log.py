# SPDX-License-Identifier: Apache-2.0
"""Events and the lines that they become."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.node.agent import log
from sluice.node.agent.events import LIMIT, Events
from sluice.node.agent.names import Names


def test_like_packets_are_one_event() -> None:
    events: Events[str, int] = Events()
    for now in (10.0, 10.25, 10.75):
        events.add("a", int(now * 100), now, 1000 + now)
    events.add("b", 1, 10.5, 1010.5)
    assert events.take_due(10.9) == []
    (event,) = events.take_due(11.0)
    assert (event.key, event.packets, event.seconds, event.first, event.wall) == ("a", 3, 0.75, 1000, 1010.0)
    assert [event.key for event in events.take_due(float("inf"))] == ["b"]
    events.add("a", 1, 12.0, 0)
    assert events.take_due(13.0)[0].packets == 1


def test_no_more_than_a_bounded_number_waits() -> None:
    events: Events[int, None] = Events()
    for number in range(LIMIT + 7):
        events.add(number, None, 1.0, 1.0)
    events.add(0, None, 1.5, 1.5)
    assert (events.take_left_out(), events.take_left_out()) == (7, 0)
    due = events.take_due(2.0)
    assert (len(due), due[0].packets) == (LIMIT, 2)


def test_a_line_cannot_be_forged() -> None:
    text = log.line(0.5, {"rule": "NetworkPolicy shop/x ingress[0]", "name": "", "label": 'a"\n1970 rule=x', "port": 80, "plain": "shop/web"})
    assert "\n" not in text
    time, rest = text.split(" ", 1)
    assert time.startswith(("1970-01-01T", "1969-12-31T")) and ".500" in time and time[-6] in "+-"
    assert rest == 'rule="NetworkPolicy shop/x ingress[0]" label="a\\"\\n1970 rule=x" port=80 plain=shop/web'


def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "SIZE_MAX", 100)
    path = tmp_path / "log" / "policy.log"
    for number in range(100):
        log.append(path, [f"{number:<39}"])
    assert [file.name for file in sorted(path.parent.iterdir())] == ["policy.log", "policy.log.1", "policy.log.2"]
    assert [file.read_text().split() for file in sorted(path.parent.iterdir())] == [["98", "99"], ["96", "97"], ["94", "95"]]
    assert path.stat().st_mode & 0o777 == 0o640


def test_names_follow_their_files_and_outlive_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = Names(tmp_path)
    assert (names.rule(1), names.pod(bytes(4))) == (None, "")
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"0x1": {"rule": "a"}}))
    (tmp_path / "pods.json").write_text(json.dumps({"pods": [{"namespace": "shop", "name": "web", "ips": ["10.0.0.2", "fd00::2"]},
                                                             {"namespace": "kube", "name": "proxy", "ips": ["10.9.9.9"], "host_network": True}]}))
    names.refresh()
    assert (names.rule(1), names.pod(bytes([10, 0, 0, 2])), names.pod(bytes([10, 9, 9, 9]))) == ({"rule": "a"}, "shop/web", "")
    rules.write_text('{"0x1": ')
    names.refresh()
    names.refresh()
    assert names.rule(1) == {"rule": "a"}
    assert capsys.readouterr().out.count("is damaged") == 1
    rules.write_text("{}")
    names.refresh()
    assert names.rule(1) is None
