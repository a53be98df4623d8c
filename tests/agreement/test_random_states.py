# SPDX-License-Identifier: Apache-2.0
"""Random clusters, of which the engine and the switches have to say the same."""
from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agreement.comparison import Comparison
from agreement.size import STATES
from agreement.switches import Switches
from sluice.intent.state import ClusterState
from states_strategy import Probe, probes, states

PARTS = 4
"""Tests that share the states, so that workers can."""
PROBES = 24


@st.composite
def questions(draw: st.DrawFn) -> tuple[ClusterState, list[Probe]]:
    versions = draw(st.sampled_from(((4,), (4, 6))))
    state = draw(states(versions, draw(st.sampled_from(("system", "netdev")))))
    return state, draw(st.lists(probes(state), min_size=PROBES, max_size=PROBES))


@pytest.mark.parametrize("part", range(PARTS))
def test_engine_and_switches_agree(part: int, switches: Switches, record_property: Callable[[str, object], None]) -> None:
    comparison = Comparison(switches)

    @settings(max_examples=STATES // PARTS, deadline=None, database=None, suppress_health_check=list(HealthCheck),
              phases=(Phase.generate, Phase.shrink))
    @given(questions())
    def agree(question: tuple[ClusterState, list[Probe]]) -> None:
        wrong = comparison.disagreements(*question)
        assert not wrong, "\n\n".join(wrong)

    agree()
    for name, number in comparison.counts.items():
        record_property(name, number)
