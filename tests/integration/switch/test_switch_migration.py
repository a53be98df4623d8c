# SPDX-License-Identifier: Apache-2.0
"""People who come from ovs-vsctl: a switch made by hand, saved in every form that there is, is read the same and changes nothing."""
from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ovs_sandbox import AnyDevice, OvsSandbox
from switch_engine import contents, run
from switch_playbook import PEER_FOLDER, ROOT, ansible_playbook, run_tasks

from documents import blocks
from sluice.ovs.switch.dump import switch_from_tables, switch_from_text
from sluice.ovs.switch.secrets import HIDDEN, with_secrets

PAGE = ROOT / "docs/migrate-from-openvswitch.md"

BY_HAND = r"""
set Open_vSwitch . 'external_ids:system-id="node 1"' 'external_ids:ovn-bridge-mappings="a:br0,b:br1"' other_config:max-idle=50000
set-manager ptcp:16640:127.0.0.1 ssl:192.0.2.1:6640 -- set Manager ssl:192.0.2.1:6640 inactivity_probe=9000
--bootstrap set-ssl /nosuch/key.pem /nosuch/cert.pem /nosuch/ca.pem
--id=@zone create CT_Zone timeout_policy=@times -- --id=@times create CT_Timeout_Policy timeouts:udp_first=5 timeouts:tcp_established=600 \
  -- --id=@dp create Datapath ct_zones:7=@zone -- set Open_vSwitch . datapaths:netdev=@dp
add-br br0 -- set Bridge br0 datapath_type=netdev fail_mode=secure protocols=OpenFlow13,OpenFlow15 mcast_snooping_enable=true flood_vlans=7,9 \
  other_config:disable-in-band=true 'other_config:hwaddr="0a:00:00:00:00:00"' 'external_ids:quoted="a=\"b\",\nc"' 'external_ids:umlaut="ü 🐙"'
set Bridge br0 controller=@a,@b -- --id=@a create Controller 'target="tcp:127.0.0.1:16653"' \
  -- --id=@b create Controller 'target="tcp:127.0.0.1:16654"' max_backoff=2000 connection_mode=out-of-band
--id=@t0 create Flow_Table name=classify prefixes=ip_src -- --id=@t9 create Flow_Table flow_limit=100 overflow_policy=evict 'groups="NXM_OF_VLAN_TCI[]"' \
  -- set Bridge br0 flow_tables:0=@t0 flow_tables:9=@t9
set Interface br0 mtu_request=1400 external_ids:role=host
add-br br0.100 br0 100
add-port br0 access tag=20 vlan_mode=access -- set Interface access type=internal 'mac="0a:00:00:00:00:01"' ofport_request=7 \
  ingress_policing_rate=1000 ingress_policing_burst=100 'external_ids:iface-id="x y"'
add-port br0 trunk trunks=5,7,30 -- set Interface trunk type=internal bfd:enable=true lldp:enable=true -- set Port trunk other_config:stp-path-cost=10 \
  external_ids:a=1 protected=true
add-port br0 native tag=4 vlan_mode=native-untagged trunks=8 -- set Interface native type=internal cfm_mpid=3
add-port br0 qinq tag=40 vlan_mode=dot1q-tunnel cvlans=50,60 -- set Interface qinq type=internal
add-bond br0 bond0 tap-a tap-b bond_mode=balance-slb lacp=passive bond_updelay=100 bond_downdelay=200 other_config:lacp-time=fast \
  -- set Interface tap-a type=tap -- set Interface tap-b type=tap other_config:lacp-port-id=5
add-port br0 gnv -- set Interface gnv type=geneve options:remote_ip=flow options:key=flow options:csum=true
add-port br0 vx -- set Interface vx type=vxlan options:remote_ip=192.0.2.9 'options:psk="s p,=\"q"' options:key=9
add-port br0 gre-port -- set Interface gre-port type=gre options:remote_ip=192.0.2.10
add-br br1 -- set Bridge br1 datapath_type=netdev stp_enable=true
add-port br0 to-br1 -- set Interface to-br1 type=patch options:peer=to-br0 -- add-port br1 to-br0 -- set Interface to-br0 type=patch options:peer=to-br1
set Port trunk qos=@qos -- --id=@qos create QoS type=linux-htb other_config:max-rate=1000000 queues:0=@q0 queues:5=@q5 \
  -- --id=@q0 create Queue other_config:max-rate=500000 dscp=10 -- --id=@q5 create Queue other_config:min-rate=100000
--id=@from get Port access -- --id=@to get Port native -- --id=@m create Mirror name=m0 select_src_port=@from select_vlan=20,30 output_port=@to snaplen=100 \
  -- --id=@n create Mirror name=m1 select_all=true output_vlan=99 external_ids:why=audit -- set Bridge br0 mirrors=@m,@n
set Bridge br0 netflow=@nf -- --id=@nf create NetFlow 'targets="192.0.2.5:2055","192.0.2.6:2055"' active_timeout=30 engine_id=7
set Bridge br0 sflow=@sf -- --id=@sf create sFlow 'targets="192.0.2.5:6343"' agent=lo sampling=64 polling=10 header=128
set Bridge br1 ipfix=@ix -- --id=@ix create IPFIX 'targets="192.0.2.5:4739"' obs_domain_id=1 obs_point_id=2 cache_active_timeout=60 sampling=1
--id=@br get Bridge br0 -- --id=@ix create IPFIX 'targets="192.0.2.7:4739"' -- create Flow_Sample_Collector_Set id=3 bridge=@br ipfix=@ix
set Bridge br0 auto_attach=@aa -- --id=@aa create AutoAttach system_name=node1 mappings:110=11
add-br br2 -- set Bridge br2 datapath_type=netdev netflow=@nf -- --id=@nf create NetFlow 'targets="192.0.2.5:2055"' \
  -- add-port br2 p2 -- set Interface p2 type=internal
del-br br2 -- add-br br3 -- set Bridge br3 datapath_type=netdev
remove Bridge br0 flood_vlans 9 -- remove Interface gnv options csum -- set Interface gnv options:df_default=false -- del-port br0 gre-port
"""
"""Something of everything, and some of it changed or gone again, as the file keeps a database's whole history."""
PSK = 's p,="q'

SHOWN: Mapping[str, tuple[str, ...]] = {
    "": ("bridges", "managers"), "bridges": ("name", "fail_mode", "datapath_type", "controllers", "ports"), "ports": ("name", "tag", "trunks", "interfaces"),
    "interfaces": ("name", "type", "options"), "controllers": ("target",), "managers": ("target",)}
"""What ovs-vsctl 3.1 shows."""


def client(ovs: OvsSandbox, *arguments: str) -> str:
    return subprocess.run(["ovsdb-client", *arguments], env=ovs.env, capture_output=True, text=True, check=True).stdout


def shown_part(config: Any, key: str = "") -> Any:
    if isinstance(config, list):
        return [shown_part(item, key) for item in config]
    if not isinstance(config, dict) or key == "options":
        return config
    return {name: shown_part(value, name) for name, value in config.items() if name in SHOWN[key]}


@pytest.fixture(scope="module")
def made_by_hand() -> Iterator[OvsSandbox]:
    """A switch on which somebody has configured everything with ovs-vsctl."""
    with OvsSandbox() as ovs:
        for line in BY_HAND.replace("\\\n", "").strip().splitlines():
            ovs.vsctl(*shlex.split(line))
        yield ovs


@pytest.fixture(scope="module")
def saved(made_by_hand: OvsSandbox) -> dict[str, str]:
    """It in every form. The file is read before and after ovsdb-server has made one transaction of all."""
    forms = {
        "dump": client(made_by_hand, "dump", "--format=json", "Open_vSwitch"),
        "dump, indented": client(made_by_hand, "dump", "--format=json", "--pretty", "Open_vSwitch"),
        "backup": client(made_by_hand, "backup", made_by_hand.database, "Open_vSwitch"),
        "file": (made_by_hand.directory / "conf.db").read_text(),
        "show": made_by_hand.vsctl("show")}
    made_by_hand.appctl("ovsdb-server/compact", daemon="ovsdb-server")
    return {**forms, "compacted file": (made_by_hand.directory / "conf.db").read_text()}


def test_everything_is_there(made_by_hand: OvsSandbox) -> None:
    """So that what the other tests compare is worth it."""
    config = contents(made_by_hand)[0]
    bridge = config["bridges"][0]
    assert {"flow_tables", "controllers", "mirrors", "netflow", "sflow", "sample_collector_sets", "auto_attach", "ports"} <= set(bridge)
    assert {"managers", "ssl", "datapaths", "external_ids", "other_config"} <= set(config)
    assert bridge["external_ids"]["quoted"] == 'a="b",\nc'
    assert next(port for port in bridge["ports"] if port["name"] == "vx")["interfaces"][0]["options"]["psk"] == HIDDEN


@pytest.mark.parametrize("form", ["dump", "dump, indented", "backup", "file", "compacted file"])
def test_a_saved_switch_is_read_as_the_live_one(made_by_hand: OvsSandbox, saved: Mapping[str, str], form: str) -> None:
    assert switch_from_text(saved[form]) == contents(made_by_hand)[0]


def test_tables_that_are_parsed_already_are_read_the_same(made_by_hand: OvsSandbox, saved: Mapping[str, str]) -> None:
    assert switch_from_tables([json.loads(line) for line in saved["dump"].splitlines() if line]) == contents(made_by_hand)[0]


def test_what_is_shown_agrees(made_by_hand: OvsSandbox, saved: Mapping[str, str]) -> None:
    assert switch_from_text(saved["show"]) == shown_part(contents(made_by_hand)[0])


@pytest.mark.parametrize("form", ["dump", "file", "show"])
def test_given_back_it_changes_nothing(made_by_hand: OvsSandbox, saved: Mapping[str, str], form: str) -> None:
    assert run(made_by_hand, switch_from_text(saved[form])).commands == ()


@pytest.mark.parametrize("form", ["dump", "backup"])
def test_given_back_exactly_it_changes_nothing(made_by_hand: OvsSandbox, saved: Mapping[str, str], form: str) -> None:
    assert [run(made_by_hand, switch_from_text(saved[form]), state).commands for state in ("replaced", "overridden")] == [(), ()]


def test_it_makes_the_same_switch_elsewhere(made_by_hand: OvsSandbox, saved: Mapping[str, str]) -> None:
    with OvsSandbox() as other:
        run(other, dict(with_secrets(switch_from_text(saved["dump"]), {"vx": {"psk": PSK}})), "overridden")
        assert contents(other)[0] == contents(made_by_hand)[0]
        assert other.vsctl("get", "Interface", "vx", "options:psk").strip() == json.dumps(PSK)


def test_secrets_are_not_in_what_is_read(saved: Mapping[str, str]) -> None:
    for form, text in saved.items():
        assert "s p," in text
        assert "s p," not in json.dumps(switch_from_text(text)), form


def example(*what: str) -> list[dict[str, Any]]:
    """The tasks that the page has under these words."""
    found = [yaml.safe_load(block.text) for block in blocks(PAGE) if block.words == what]
    assert len(found) == 1, what
    tasks: list[dict[str, Any]] = found[0]
    return tasks


def inventory_of(folder: Path) -> Path:
    """An inventory with one node, which is this host."""
    inventory = folder / "inventory/hosts.yml"
    (inventory.parent / "host_vars/node1").mkdir(parents=True)
    inventory.write_text("all: {hosts: {node1: {}}}")
    return inventory


def play(ovs: OvsSandbox, folder: Path, tasks: Sequence[dict[str, Any]], *flags: str) -> str:
    """What ansible-playbook prints, at the end how many tasks were ok, and how many changed something."""
    book = folder / "play.yml"
    book.write_text(yaml.safe_dump([{"hosts": "node1", "gather_facts": False, "tasks": tasks, "module_defaults": {
        "sluice.fabric.switch": {"database": ovs.database}}}]))
    done = ansible_playbook(ovs, "-i", str(folder / "inventory/hosts.yml"), *flags, str(book))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_examples_of_the_filter_run_as_they_are_printed(made_by_hand: OvsSandbox, saved: Mapping[str, str], tmp_path: Path) -> None:
    """On the host itself; what they keep is the switch, and the filter fails with one sentence."""
    source = (ROOT / "plugins/filter/switch_from_ovsdb.py").read_text()
    tasks = yaml.safe_load(source.partition('EXAMPLES = r"""')[2].partition('"""')[0])
    wrong = {"name": "A wrong one", "ansible.builtin.debug": {"msg": "{{ 'Bridge table' | sluice.fabric.switch_from_ovsdb }}"}, "ignore_errors": True}
    inventory = inventory_of(tmp_path)
    (tmp_path / "node1.backup").write_text(saved["backup"])
    printed = play(made_by_hand, tmp_path, [*tasks, *example("filter"), wrong])
    assert "ok=5    changed=2 " in printed, printed  # The files that keep it are what changes.
    assert "sluice.fabric.switch_from_ovsdb: line 1: this is a dump for people to read" in printed
    for kept in (inventory.parent / "host_vars/node1/ovs.yml", tmp_path / "ovs.yml"):
        assert yaml.safe_load(kept.read_text())["ovs_config"] == switch_from_text(saved["dump"])


def test_one_goes_over_step_by_step(tmp_path: Path) -> None:
    """As the page says: nothing changes but marks, and then what is taken out of the inventory goes."""
    inventory = inventory_of(tmp_path)
    kept = inventory.parent / "host_vars/node1/ovs.yml"
    with AnyDevice() as ovs:
        ovs.vsctl("add-br", "br-ex", "--", "add-port", "br-ex", "eth1", "tag=5", "--", "add-port", "br-ex", "eth2", "--", "add-br", "br-other")
        before = contents(ovs)[0]
        assert "ok=2    changed=1 " in play(ovs, tmp_path, example("step", "keep"))
        inventory_config = yaml.safe_load(kept.read_text())["ovs_config"]
        assert inventory_config == before
        inventory_config["bridges"] = [bridge for bridge in inventory_config["bridges"] if bridge["name"] == "br-ex"]
        kept.write_text(yaml.safe_dump({"ovs_config": inventory_config}))
        assert "ok=1    changed=0 " in play(ovs, tmp_path, example("step", "check"), "--check", "--diff")
        assert "ok=1    changed=1 " in play(ovs, tmp_path, example("step", "adopt"))
        assert contents(ovs)[0] == before
        inventory_config["bridges"][0]["ports"] = [port for port in inventory_config["bridges"][0]["ports"] if port["name"] != "eth2"]
        kept.write_text(yaml.safe_dump({"ovs_config": inventory_config}))
        assert "ok=1    changed=1 " in play(ovs, tmp_path, example("step", "adopt"))
        assert ovs.vsctl("list-ports", "br-ex").split() == ["eth1"]
        assert ovs.vsctl("list-br").split() == ["br-ex", "br-other"]


PAIRS = ("bridge", "fake", "port", "bond", "db", "absent", "read")


def after_each(ovs: OvsSandbox, folder: Path, moment: str) -> dict[str, Any]:
    """The switch after the tasks of each example, which go on from one another."""
    names, tasks = [], []
    for pair in PAIRS:
        tasks += [*example(moment, pair), {"sluice.fabric.switch_info": {}}]
        names += [*[""] * len(example(moment, pair)), pair]
    folder.mkdir()
    results = run_tasks(ovs, folder, tasks)
    assert [result["msg"] for result in results if result.get("failed")] == []
    return {name: result["gathered"] for name, result in zip(names, results, strict=True) if name}


def test_before_and_after_do_the_same(tmp_path: Path) -> None:
    """The pairs of the page, run with the collection that one comes from and with ours."""
    if not (PEER_FOLDER / "ansible_collections/openvswitch").is_dir():
        pytest.skip("openvswitch.openvswitch is not here; tests/bench/switch_ports.py fetches it")
    with AnyDevice() as theirs, AnyDevice() as ours:
        before, after = after_each(theirs, tmp_path / "before", "before"), after_each(ours, tmp_path / "after", "after")
    for pair in PAIRS:
        assert after[pair] == before[pair], pair
    assert len({json.dumps(config) for config in after.values()}) == len(PAIRS) - 1, "each but the reading changes something"


def test_pairs_are_all_of_the_page() -> None:
    assert {block.words for block in blocks(PAGE) if block.words[:1] in (("before",), ("after",))} == {
        (moment, pair) for moment in ("before", "after") for pair in PAIRS}
