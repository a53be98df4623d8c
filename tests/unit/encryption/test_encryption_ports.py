# SPDX-License-Identifier: Apache-2.0
"""Names and numbers of the ports that say which tunnels are encrypted."""
from __future__ import annotations

import re

import pytest

from sluice.encryption.pairs import tunnel_ids, tunnel_ofport, tunnel_port
from sluice.errors import InputError
from sluice.plan.addresses import OFPORT_FIRST_DYNAMIC, SLOTS_MAX


def test_numbers_are_distinct_and_stay_when_nodes_come() -> None:
    few, many = tunnel_ids(f"node{number}" for number in range(20)), tunnel_ids(f"node{number}" for number in range(40))
    assert len(set(many.values())) == 40
    assert few.items() <= many.items()


def test_ports_are_beyond_those_of_pods_and_below_openflows_own() -> None:
    ports = [tunnel_ofport(number) for number in tunnel_ids(f"node{number}" for number in range(2000)).values()]
    assert min(ports) > OFPORT_FIRST_DYNAMIC + SLOTS_MAX and max(ports) < 0xFF00
    assert all(len(tunnel_port(number)) <= 15 for number in (0, 0x1FFF))


@pytest.mark.parametrize("connection", ["{}-in-1", "{}-out-12", "{}-3"])
def test_a_connection_begins_with_its_port(connection: str) -> None:
    """ovs-monitor-ipsec takes the first number after the port's name for the tunnel's version."""
    name = tunnel_port(0xABC)
    text = connection.format(name)
    assert text.startswith(name) and re.findall(r"\d+", text[len(name):]) == [re.findall(r"\d+$", text)[0]]


def test_more_nodes_than_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="at most 8192 nodes"):
        tunnel_ids(map(str, range(8193)))
