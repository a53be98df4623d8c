# SPDX-License-Identifier: Apache-2.0
"""A tunnel's pre-shared key is set, and never shown."""
from __future__ import annotations

from typing import Any

import pytest

from sluice.errors import InputError
from sluice.ovs.switch.config import parse
from sluice.ovs.switch.describe import as_text, gathered
from sluice.ovs.switch.plan import Plan, plan
from sluice.ovs.switch.record import Record, Switch
from sluice.ovs.switch.secrets import HIDDEN, with_secrets
from sluice.ovs.switch.target import Intent

SECRET = "swordfish"


def tunnel(**options: str) -> dict[str, Any]:
    return {"bridges": [{"name": "br0", "ports": [{"name": "t", "interfaces": [
        {"name": "t", "type": "geneve", "options": {"remote_ip": "192.0.2.1", **options}}]}]}]}


def planned(have: Switch, config: Any, state: str = "merged") -> Plan:
    return plan(Intent(parse(config).root, state, "sluice"), have)


def committed(record: Record) -> Record:
    """With UUIDs, as a database has it."""
    children = {key: {name: committed(item) for name, item in records.items()} for key, records in record.children.items()}
    return record._replace(row=record.row._replace(uuid=f"{record.row.table} {record.row.name}"), children=children)


def made(config: Any) -> Switch:
    return Switch(committed(planned(Switch(), config).goal.root))


def options_of(switch: Switch) -> Any:
    return switch.bridges["br0"].of("ports")["t"].of("interfaces")["t"].values["options"]


@pytest.mark.parametrize("config", [tunnel(psk=SECRET), with_secrets(tunnel(), {"t": {"psk": SECRET}})])
def test_it_is_set_and_hidden(config: Any) -> None:
    result = planned(Switch(), config)
    assert options_of(result.goal)["psk"] == SECRET
    shown = [as_text(result.after), as_text(gathered(result.goal)), *(change.command() for change in result.changes)]
    assert not any(SECRET in text for text in shown) and all(HIDDEN in text for text in shown[:2])


def test_what_is_shown_means_what_is_there() -> None:
    have = made(tunnel(psk=SECRET))
    for state in ("merged", "replaced", "overridden"):
        assert planned(have, gathered(have), state).changes == ()
    changed = planned(have, tunnel(psk=HIDDEN, key="5"), "replaced")
    assert options_of(changed.goal) == {"remote_ip": "192.0.2.1", "psk": SECRET, "key": "5"}


def test_another_secret_is_a_change_that_shows_neither() -> None:
    result = planned(made(tunnel(psk=SECRET)), tunnel(psk="marlin"))
    assert options_of(result.goal)["psk"] == "marlin"
    assert [change.command() for change in result.changes] == [f"set Interface t 'options:psk=\"{HIDDEN}\"'"]


def test_a_hidden_one_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"options\.psk: is hidden, and there is none"):
        planned(Switch(), tunnel(psk=HIDDEN))


@pytest.mark.parametrize("ports", [None, "t"])
def test_what_is_no_list_is_left_for_the_check_of_the_config(ports: Any) -> None:
    config = {"bridges": [*tunnel()["bridges"], {"name": "br1", "ports": ports}]}
    filled = with_secrets(config, {"t": {"psk": SECRET}})
    assert filled["bridges"] == [*tunnel(psk=SECRET)["bridges"], {"name": "br1", "ports": ports}]


def test_a_secret_of_an_unknown_interface_is_refused() -> None:
    with pytest.raises(InputError, match=r"secrets\.u: is no interface"):
        with_secrets(tunnel(), {"u": {"psk": SECRET}})
