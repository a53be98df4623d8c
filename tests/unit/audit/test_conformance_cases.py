# SPDX-License-Identifier: Apache-2.0
"""The engine gives the answers that other projects' cases expect; what is not installed or not supported is skipped in sight."""
from __future__ import annotations

from pathlib import Path

import pytest

from conformance.case import Case, case_state, load_case
from sluice.audit.reachability import Reachability
from sluice.errors import InputError
from sluice.intent.state import ClusterState

CASES = Path(__file__).parents[4] / "shared" / "conformance" / "cases"
MAY_BE_REFUSED = {"host-network", "node-peers", "anp-node-peers", "same-labels"}
"""What the cases' README allows to be skipped until it is supported (trap 6)."""
FILES = sorted(CASES.glob("*/*.json"))


@pytest.mark.skipif(not FILES, reason="../shared/conformance is not there")
def test_there_are_cases() -> None:
    assert len(FILES) >= 220


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_engine_expects_what_the_case_expects(path: Path) -> None:
    case = load_case(path)
    if case.rejection:
        pytest.skip("the input has to be refused: a matter of the loader")
    try:
        state = case_state(case)
    except InputError as error:
        if case.requires & MAY_BE_REFUSED:
            pytest.skip(f"refused: {error}")
        raise
    wrong = _wrong(case, state)
    assert not wrong, f"{len(wrong)} of {len(case.rows)} rows, such as\n" + "\n".join(wrong[:5])


def _wrong(case: Case, state: ClusterState) -> list[str]:
    engine = Reachability(state)
    wrong = []
    for row in case.rows:
        found = engine.verdict(row.source, row.destination, row.port, row.protocol, source_port=row.source_port or None)
        expected = "allow" if row.allow else row.verdict
        good = found.action == expected if expected else found.action in ("drop", "reject")
        backends = {one.endpoint for one in found.endpoints}
        if not good or (row.backends and backends != set(row.backends)):
            wrong.append(f"{row.name}: {expected or 'denied'} {sorted(row.backends)} expected, but {found}")
    return wrong
