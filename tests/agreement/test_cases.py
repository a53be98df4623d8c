# SPDX-License-Identifier: Apache-2.0
"""Other projects' cases: of every row the engine and the switches say the same."""
from __future__ import annotations

from pathlib import Path

import pytest

from agreement.comparison import Comparison
from agreement.size import WHOLE
from agreement.switches import Switches
from conformance.case import Case, case_state, load_case
from sluice.errors import InputError
from states_strategy import Probe

CASES = Path(__file__).parents[3] / "shared" / "conformance" / "cases"
ROWS, LATER_EVERY = 150, 5
"""In a run of all tests about so many rows of a case are asked, and of every so many packets that are not the first."""
FILES = sorted(CASES.glob("*/*.json"))


@pytest.mark.skipif(not FILES, reason="../shared/conformance is not there")
def test_there_are_cases() -> None:
    assert len(FILES) >= 220


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_engine_and_switches_agree(path: Path, switches: Switches) -> None:
    case = load_case(path)
    if case.rejection:
        pytest.skip("the input has to be refused: a matter of the loader")
    try:
        state = case_state(case)
    except InputError as error:
        pytest.skip(f"refused: {error}")
    asked = _asked(case)
    if WHOLE:
        wrong = Comparison(switches).disagreements(state, asked)
    else:
        wrong = Comparison(switches, LATER_EVERY).disagreements(state, asked[::1 + len(asked) // ROWS])
    assert not wrong, f"{len(wrong)}, such as\n" + "\n\n".join(wrong[:3])


def _asked(case: Case) -> list[Probe]:
    return [Probe(row.source, row.destination, row.port, row.protocol, row.source_port or Probe._field_defaults["source_port"]) for row in case.rows]
