# SPDX-License-Identifier: Apache-2.0
"""The switch engine against a live ovsdb-server and ovs-vswitchd."""
from __future__ import annotations

import json
import random
import shlex
import socket
from pathlib import Path
from typing import Any

import pytest
from ovs_sandbox import OvsSandbox
from switch_engine import EVERYTHING, Config, contents, dump, ports_of, run

from sluice.errors import InputError, SluiceError
from sluice.ovs import remote as remotes
from sluice.ovs.ovsdb import NotInstalled
from sluice.ovs.switch.apply import NotRealised, apply

COMPILED = Path(__file__).parents[2] / "unit" / "compile" / "cases"


def test_check_then_change_then_nothing(ovs: OvsSandbox) -> None:
    untouched = dump(ovs)
    predicted = run(ovs, EVERYTHING, check=True)
    assert dump(ovs) == untouched
    done = run(ovs, EVERYTHING)
    assert done == predicted
    assert done.changed
    reached = dump(ovs)
    again = run(ovs, EVERYTHING)
    assert (again.changed, again.commands, again.before, again.after) == (False, (), again.after, again.before)
    assert dump(ovs) == reached, "a run without changes writes nothing, not even next_cfg"
    assert run(ovs, EVERYTHING, "overridden").commands == ()


def test_ovs_does_what_is_configured(ovs: OvsSandbox) -> None:
    run(ovs, EVERYTHING)
    assert "0a:00:00:00:00:01" in ovs.in_netns("ip", "link", "show", "gw0")
    assert "mtu 1450" in ovs.in_netns("ip", "link", "show", "gw0")
    assert "mtu 1400" in ovs.in_netns("ip", "link", "show", "br0")
    assert ovs.vsctl("get", "Interface", "gw0", "ofport").strip() == "7"
    assert ovs.vsctl("get", "Interface", "tun0", "ofport").strip() == "2"
    ovs.ofctl("add-flow", "br0", "table=spoof_guard actions=drop")
    assert 'table="spoof_guard"' in ovs.ofctl("--names", "dump-flows", "br0", "table=10")


def test_what_the_compiler_writes_works(ovs: OvsSandbox) -> None:
    config = json.loads((COMPILED / "encap-geneve" / "expected" / "node1" / "switch.json").read_text())
    ovs.in_netns("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "wire")
    assert run(ovs, config, "overridden").changed
    assert not run(ovs, config, "overridden").changed
    assert ovs.vsctl("get", "Interface", "sluice-gw0", "ofport").strip() == "1"


def test_gathered_is_everything_and_changes_nothing(ovs: OvsSandbox) -> None:
    run(ovs, EVERYTHING)
    ovs.vsctl("add-br", "theirs", "--", "set", "Bridge", "theirs", "datapath_type=dummy", 'other_config:a="b c"', "--",
              "add-port", "theirs", "p", "--", "set", "Interface", "p", "type=internal", "--", "set", "Port", "p", "trunks=1,2")
    found, _ = contents(ovs)
    assert {bridge["name"] for bridge in found["bridges"]} == {"br0", "br1", "theirs"}
    for state in ("merged", "overridden"):
        assert run(ovs, found, state).commands == ()


def test_what_others_did_wrong_is_theirs(ovs: OvsSandbox) -> None:
    """What is there already is no reason to refuse a config that says the same; anywhere else it is."""
    ovs.vsctl("add-br", "theirs", "--", "set", "Bridge", "theirs", "datapath_type=dummy", "other_config:stp-hello-time=50", "--",
              "add-port", "theirs", "t", "--", "set", "Interface", "t", "type=geneve", "options:remote_ip=192.0.2.1", "options:foo=1", "ofport_request=7", "--",
              "add-port", "theirs", "u", "--", "set", "Interface", "u", "type=internal", "mac=nonsense", "ofport_request=7", "--",
              "--id=@c", "create", "Controller", "target=nowhere", "--", "set", "Bridge", "theirs", "controller=@c", "--",
              "--id=@1", "create", "Flow_Table", "name=a_name_of_more_than_31_characters_", "--", "set", "Bridge", "theirs", "flow_tables:1=@1")
    found, _ = contents(ovs)
    for state in ("merged", "replaced", "overridden"):
        assert run(ovs, found, state, check=True).commands == ()
    with OvsSandbox() as other, pytest.raises(InputError, match="6 problems") as caught:
        run(other, found, check=True)
    assert {problem.path.rpartition(".")[2] for problem in caught.value.problems} == {
        "1", "target", "stp-hello-time", "foo", "mac", "ofport_request"}


def test_gathered_makes_the_same_switch_elsewhere(ovs: OvsSandbox) -> None:
    run(ovs, EVERYTHING)
    with OvsSandbox() as other:
        run(other, contents(ovs)[0])
        assert contents(other) == contents(ovs)


def test_plan_is_what_ovs_vsctl_does(ovs: OvsSandbox) -> None:
    """The commands shown, run one after the other, lead to the same database: creating, changing and removing."""
    changed: Config = {
        "external_ids": {"quoted": None, "new": "x y"},
        "bridges": [
            {"name": "br0", "fail_mode": None, "protocols": [], "other_config": {"a,b": "{c}"}, "flow_tables": {"0": "start", "5": "five"},
             "ports": [{"name": "gw0", "tag": 9, "interfaces": [{"name": "gw0", "type": "internal", "mac": None, "mtu_request": 1300}]},
                       {"name": "bond", "interfaces": [{"name": "bond-c", "type": "tap"}, {"name": "bond-a", "external_ids": {"a": "b"}}]},
                       {"name": "trunk", "trunks": [1]}]},
            {"name": "br1", "ports": [{"name": "access", "vlan_mode": None, "tag": None}]}]}
    with OvsSandbox() as other:
        for config, state in ((EVERYTHING, "merged"), (changed, "overridden"), ({}, "deleted")):
            # References to rows differ between two databases, so each plan is made where it is run.
            for command in run(other, config, state, check=True).commands:
                other.vsctl(*shlex.split(command))
            run(ovs, config, state)
            assert contents(other) == contents(ovs)


def test_wrong_input_changes_nothing(ovs: OvsSandbox) -> None:
    run(ovs, ports_of("br0", "p1"))
    untouched = dump(ovs)
    for check in (True, False):
        with pytest.raises(InputError, match=r"bridges\[0\]\.ports\[1\]\.tag"):
            run(ovs, {"bridges": [{"name": "br9", "ports": [{"name": "fine"}, {"name": "p2", "tag": 4096}]}]}, check=check)
        with pytest.raises(InputError, match="does not support"):
            run(ovs, {"bridges": [{"name": "br9", "datapath_type": "dumy"}]}, check=check)
    assert dump(ovs) == untouched


def test_foreign_things_stay(ovs: OvsSandbox) -> None:
    run(ovs, ports_of("br0", "p1"))
    run(ovs, ports_of("br0", "pod1"), owner="cni")
    ovs.vsctl("add-br", "theirs", "--", "set", "Bridge", "theirs", "datapath_type=dummy")
    run(ovs, ports_of("br0"), "overridden")
    assert ovs.vsctl("list-ports", "br0").split() == ["pod1"]
    with pytest.raises(InputError, match="pod1"):
        run(ovs, {}, "deleted")
    run(ovs, {}, "deleted", owner="cni")
    run(ovs, {}, "deleted")
    assert ovs.vsctl("list-br").split() == ["theirs"]


def test_deleted_leaves_no_row_behind(ovs: OvsSandbox) -> None:
    run(ovs, EVERYTHING)
    run(ovs, {}, "deleted")
    assert contents(ovs) == ({"bridges": []}, {})
    assert not ovs.vsctl("--bare", "--columns=name", "list", "Flow_Table").strip()


def test_an_own_port_moves_in_one_transaction(ovs: OvsSandbox) -> None:
    run(ovs, ports_of("br0", "p1", tag=5))
    run(ovs, ports_of("br1"))
    uuid = ovs.vsctl("get", "Port", "p1", "_uuid")
    run(ovs, {"bridges": [{"name": "br1", "ports": [{"name": "p1"}]}]})
    assert (ovs.vsctl("port-to-br", "p1").strip(), ovs.vsctl("get", "Port", "p1", "_uuid")) == ("br1", uuid)


def test_a_removed_bridges_port_on_another_bridge(ovs: OvsSandbox) -> None:
    run(ovs, ports_of("br0", "p1"))
    run(ovs, ports_of("br1", "p1"), "overridden")
    assert (ovs.vsctl("list-br").split(), ovs.vsctl("list-ports", "br1").split()) == (["br1"], ["p1"])


def test_interface_errors_fail_with_the_words_of_ovs_until_they_are_gone(ovs: OvsSandbox) -> None:
    config = {"bridges": [{"name": "br0", "datapath_type": "netdev", "ports": [{"name": "nosuch"}]}]}
    for expected in (True, False):
        with pytest.raises(NotRealised, match=r"interface nosuch: .*\(No such device\)") as caught:
            run(ovs, config)
        assert caught.value.outcome.changed is expected
    assert run(ovs, config, check=True).warnings
    ovs.in_netns("ip", "link", "add", "nosuch", "type", "veth", "peer", "name", "peer")
    ovs.vsctl("--timeout=10", "wait-until", "Interface", "nosuch", "error=[]")
    assert not run(ovs, config).changed


def test_a_taken_ofport_fails_instead_of_another_number(ovs: OvsSandbox) -> None:
    run(ovs, ports_of("br0"))
    ovs.vsctl("add-port", "br0", "theirs", "--", "set", "Interface", "theirs", "type=internal", "ofport_request=7")
    config = {"bridges": [{"name": "br0", "ports": [
        {"name": "p1", "interfaces": [{"name": "p1", "type": "internal", "ofport_request": 7}]}]}]}
    with pytest.raises(NotRealised, match=r"interface p1 has OpenFlow port number \d+, because the requested 7 is taken"):
        run(ovs, config)
    ovs.vsctl("del-port", "theirs")
    run(ovs, ports_of("br0", "p2"))
    assert not run(ovs, config).changed
    assert ovs.vsctl("get", "Interface", "p1", "ofport").strip() == "7"


def test_an_owner_has_a_name(ovs: OvsSandbox) -> None:
    with pytest.raises(InputError, match="owner: is empty"):
        run(ovs, {}, "deleted", owner="")


def test_tcp(ovs: OvsSandbox) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ovs.appctl("ovsdb-server/add-remote", f"ptcp:{port}:127.0.0.1", daemon="ovsdb-server")
    assert apply(f"tcp:127.0.0.1:{port}", ports_of("br0", "p1"), "merged", "sluice", 20).changed
    assert not run(ovs, ports_of("br0", "p1")).changed


def test_before_open_vswitch_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remotes, "VSWITCHD", str(tmp_path / "ovs-vswitchd"))
    remote = f"unix:{tmp_path}/db.sock"
    predicted = apply(remote, EVERYTHING, "overridden", "sluice", 5, check=True)
    assert predicted.before == {}
    with OvsSandbox() as pristine:
        assert run(pristine, EVERYTHING, "overridden") == predicted
    with pytest.raises(NotInstalled, match="is not installed on this machine"):
        apply(remote, EVERYTHING, "overridden", "sluice", 5)


@pytest.mark.parametrize("check", [True, False])
def test_stopped_ovsdb_server_is_an_error_even_in_check_mode(ovs: OvsSandbox, check: bool) -> None:
    ovs.kill("ovsdb-server")
    with pytest.raises(SluiceError, match=r"cannot connect .*Start Open vSwitch"):
        run(ovs, EVERYTHING, check=check)


@pytest.mark.parametrize("remote", ["", "unix:", "tcp:host", "tcp:1.2.3.4:x", "/run/db.sock"])
def test_a_wrong_remote_is_named(remote: str) -> None:
    with pytest.raises(SluiceError, match="expected unix:PATH or tcp:HOST:PORT"):
        apply(remote, {}, "merged", "sluice", 5)


def some_switch(choice: random.Random) -> Config:
    """A random switch of a few names, so that two of them have much in common and much not."""
    taken = choice.sample([f"p{number}" for number in range(8)], choice.randrange(8))
    bridges: list[Config] = []
    for name in choice.sample(["br0", "br1", "br2"], choice.randrange(1, 4)):
        ports: list[Config] = []
        for _ in range(min(len(taken), choice.randrange(5))):
            port = taken.pop()
            members = [port, *([f"{port}-b"] if choice.random() < 0.3 else [])]
            ports.append({"name": port, "tag": choice.choice([None, 1, 2]), "trunks": choice.sample([1, 2, 3], choice.randrange(3)),
                          "other_config": some_map(choice), "interfaces": [
                              {"name": member, "type": choice.choice(["internal", "patch"]), "options": {"peer": f"x{choice.randrange(2)}"},
                               "mtu_request": choice.choice([None, 1400]), "other_config": some_map(choice)} for member in members]})
        tables = {str(number): f"t{choice.randrange(2)}-{number}" for number in choice.sample(range(4), choice.randrange(4))}
        bridges.append({"name": name, "datapath_type": "dummy", "fail_mode": choice.choice([None, "secure", "standalone"]),
                        "protocols": choice.sample(["OpenFlow10", "OpenFlow15"], choice.randrange(3)), "other_config": some_map(choice),
                        "flow_tables": tables, "ports": ports})
    return {"bridges": bridges}


def some_map(choice: random.Random) -> dict[str, str]:
    return {key: choice.choice(["1", "a,b"]) for key in choice.sample(["k", "l m", "n=o"], choice.randrange(4))}


def canonical(value: Any) -> Any:
    """Without empty values, lists in order, and the local ports that every bridge has."""
    if isinstance(value, dict):
        kept = {key: canonical(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, [], {})}
    if isinstance(value, list):
        return sorted((canonical(item) for item in value if not is_local_port(item)), key=str)
    return value


def is_local_port(value: Any) -> bool:
    return isinstance(value, dict) and value["name"].startswith("br") and "interfaces" in value


@pytest.mark.parametrize("seed", range(12))
def test_from_any_switch_to_any_other(ovs: OvsSandbox, seed: int) -> None:
    choice = random.Random(seed)
    for _ in range(4):
        config = some_switch(choice)
        config["bridges"] = [{"external_ids": {}, **bridge} for bridge in config["bridges"]]
        # Patches without a peer are an error that may be there before, which check mode warns of.
        predicted = run(ovs, config, "overridden", check=True)._replace(warnings=())
        try:
            assert run(ovs, config, "overridden") == predicted
        except NotRealised as error:
            assert error.outcome == predicted
        assert canonical(contents(ovs)[0]) == canonical(config)
        assert run(ovs, config, "overridden", check=True).commands == ()
