# SPDX-License-Identifier: Apache-2.0
"""What the roles say of the inventory's variables is what the engine reads."""
from __future__ import annotations

from pathlib import Path

import yaml

from sluice.intent.variables import VARIABLES

ROOT = Path(__file__).parents[3]


def test_the_role_documents_every_variable_of_the_inventory() -> None:
    spec = yaml.safe_load((ROOT / "roles/program/meta/argument_specs.yml").read_text())
    options = spec["argument_specs"]["main"]["options"]
    assert list(options) == [variable.name for variable in VARIABLES]
    for variable in VARIABLES:
        text = " ".join(options[variable.name]["description"])
        assert variable.description in text
        for choice in variable.choices:
            assert f"V({choice})" in text
