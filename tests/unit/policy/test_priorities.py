# SPDX-License-Identifier: Apache-2.0
"""Priorities of rules: in their order, and hardly disturbed by new ones."""
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.policy.priorities import HIGHEST, LOWEST, priorities
from sluice.policy.rules import ADMIN, BASELINE, Position

ADMIN_TIERS = (50, 100, 101, 220, 249, 250)


def positions(tiers: tuple[int, ...], most: int = 60) -> st.SearchStrategy[list[Position]]:
    """Rules of policies, crowded enough to collide."""
    priority = st.one_of(st.sampled_from([1.0, 5.0, 5.001]), st.floats(1, 10000))
    policy = st.builds(lambda tier, priority, name, rules: [Position(tier, priority, name, number) for number in range(rules)],
                       st.sampled_from(tiers), priority, st.text("abc", min_size=1, max_size=3), st.integers(1, 30))
    return st.lists(policy, max_size=most).map(lambda lists: [one for rules in {rules[0][:3]: rules for rules in lists}.values() for one in rules])


@given(positions(ADMIN_TIERS))
def test_they_fall_in_the_order_of_evaluation(given_positions: list[Position]) -> None:
    _falls(given_positions, ADMIN)


@given(positions((253, 254)))
def test_so_do_those_of_the_baseline(given_positions: list[Position]) -> None:
    _falls(given_positions, BASELINE)


def _falls(given_positions: list[Position], stage: str) -> None:
    given_priorities = priorities(given_positions, stage)
    ordered = [given_priorities[position] for position in sorted(given_positions)]
    assert ordered == sorted(set(ordered), reverse=True)
    assert all(LOWEST <= priority <= HIGHEST for priority in ordered)


def test_they_fit_when_there_is_no_room_to_spare() -> None:
    crowd = [Position(250, 10000.0, f"p{number:05}", 0) for number in range(20000)]
    found = priorities(crowd, ADMIN)
    assert sorted(found.values()) == list(range(LOWEST, LOWEST + 20000))


@given(positions(ADMIN_TIERS, 20), positions(ADMIN_TIERS, 3))
def test_a_new_policy_moves_only_rules_that_are_evaluated_right_after_it(before: list[Position], new: list[Position]) -> None:
    old, both = priorities(before, ADMIN), priorities({*before, *new}, ADMIN)
    ordered = sorted(both)
    new_ones = set(new) - set(before)
    for number, position in enumerate(ordered):
        if position in old and old[position] != both[position] and both[position] > LOWEST + len(ordered):
            # It was pushed: all between it and a new one are one below the other.
            assert both[ordered[number - 1]] == both[position] + 1
            assert any(one in new_ones for one in ordered[:number])


def test_policies_of_other_priorities_stay() -> None:
    sparse = [Position(250, float(priority), f"p{priority}", number) for priority in range(1, 90) for number in range(4)]
    old = priorities(sparse, ADMIN)
    assert all(old[position] == priority for position, priority in priorities([*sparse, Position(250, 44.5, "new", 0)], ADMIN).items() if position in old)
