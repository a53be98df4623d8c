# SPDX-License-Identifier: Apache-2.0
"""The life of a cluster, in order: pristine nodes, bootstrap, changes, and the nodes as they were before."""
from __future__ import annotations

import json
from pathlib import Path

from fabric.fabric_lab import FabricLab, Run
from fabric.traffic import Pings

# What Ansible's own modules say of a package is not in the diff that Sluice predicts.
FLOWS = {"Put the flows where new connections may arrive", "Put the flows on the other nodes"}
"""Each node does one of the two."""
PREDICTED = {"Put bridges and ports", "Put the host's settings", "Run the pods", "Compile the inventory to one program a node", *FLOWS}
STATE = ("ip -o link | awk '{print $2}' | sort; ip -o addr | awk '{print $2, $4}' | sort; ip route; ip -6 route | sed 's/ pref medium//'; "
         "nft list ruleset 2>/dev/null; sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding; "
         "ls /etc/cni /opt/cni /usr/lib/sluice /etc/sluice /var/lib/sluice /etc/systemd/system/sluice* /etc/sysctl.d 2>&1; "
         "ovs-vsctl list-br 2>/dev/null; dpkg-query -W -f '${Package} ${db:Status-Status}\\n' | grep ' installed'")

before: dict[str, str] = {}
predicted: list[Run] = []


def test_check_mode_on_pristine_nodes_succeeds_and_changes_nothing(fabric: FabricLab) -> None:
    for node in ("node1", "node2", "node3"):
        before[node] = fabric.on(node, STATE)
    predicted.append(fabric.succeed("site", "--check", "--diff"))
    assert not fabric.artifacts.exists()
    assert not (fabric.inventory / "allocations.yml").exists()
    for node, state in before.items():
        assert fabric.on(node, STATE) == state


def test_the_run_does_what_check_mode_predicted(fabric: FabricLab) -> None:
    run = fabric.succeed("site", "--diff")
    assert sorted(run.changed) == sorted(predicted[0].changed)
    forecast, done = predicted[0].diffs(), run.diffs()
    for key in forecast:
        if key[1] in PREDICTED:
            assert done[key] == forecast[key], key
    fabric.verify()


def test_a_second_run_changes_nothing(fabric: FabricLab) -> None:
    run = fabric.succeed("site", "--diff")
    assert run.changed == []
    # The arguments' validation and what runs on the controller are no module executions on the node.
    executions = [result for result in run.results if result.host == "node1" and result.outcome == "ok" and result.module.rpartition(".")[2] not in (
        "validate_argument_spec", "include_vars", "compile")]
    assert len(executions) <= 6, [result.task for result in executions]


def test_two_plays_of_one_run_each_learn_what_nodes_are(fabric: FabricLab) -> None:
    """As ca_rotate.yml, which imports site.yml three times."""
    assert fabric.succeed("site", "playbooks/site.yml").changed == []


def test_adding_a_pod_changes_only_what_it_must(fabric: FabricLab) -> None:
    manifest = fabric.inventory / "manifests/extra.yml"
    manifest.write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: extra, namespace: shop}\nspec: {nodeName: node3, containers: [{name: x, image: x}]}\n")
    programs = _programs(fabric)
    with Pings(fabric) as pings:
        plan = fabric.succeed("site", "--check", "--diff")
        run = fabric.succeed("site", "--diff")
    assert sorted(run.changed) == sorted(plan.changed)
    assert {host for host, task in run.changed if task != "Compile the inventory to one program a node"} == {"node3"}
    assert {path for path, text in _programs(fabric).items() if programs.get(path) != text} == {
        "node3/flows.txt", "node3/pods.json", "allocations.yml"}
    flows = next(result.diff["prepared"] for result in run.results if result.task in FLOWS and result.changed)
    extra = fabric.pod("extra")
    assert not [line for line in flows.splitlines() if line.startswith("-") and not line.startswith("---")]
    assert all(extra["mac"] in line or extra["ips"][0] in line or extra["ips"][1] in line
               for line in flows.splitlines() if line.startswith("+") and not line.startswith("+++"))
    assert pings.lost == {}
    fabric.verify()


def test_removing_a_pod_changes_only_what_it_must(fabric: FabricLab) -> None:
    allocations = (fabric.inventory / "allocations.yml").read_text()
    (fabric.inventory / "manifests/extra.yml").unlink()
    with Pings(fabric) as pings:
        run = fabric.succeed("site", "--diff")
    assert {host for host, task in run.changed if task != "Compile the inventory to one program a node"} == {"node3"}
    assert "extra" not in fabric.on("node3", "ovs-vsctl show; ctr -n sluice containers ls; ls /var/lib/sluice/pods")
    assert [line for line in allocations.splitlines() if "shop/extra" not in line] == (fabric.inventory / "allocations.yml").read_text().splitlines()
    assert pings.lost == {}


def test_adding_a_node_changes_only_what_it_must(fabric: FabricLab) -> None:
    fabric.set_nodes(1, 2, 3, 4)
    programs = _programs(fabric)
    with Pings(fabric) as pings:
        fabric.succeed("lab_up")
        run = fabric.succeed("site", "--diff")
    assert {task for host, task in run.changed if host in ("node1", "node2", "node3")} - FLOWS == {"Compile the inventory to one program a node"}
    assert {host for host, task in run.changed if task in FLOWS} == {"node1", "node2", "node3", "node4"}
    # The Services: the new node has their NodePorts, and an endpoint of web.
    assert {path for path, text in _programs(fabric).items() if programs.get(path) != text and not path.startswith("node4/")} == {
        "allocations.yml", "facts.json", "peers-all.txt", "services.txt", "services-groups.txt"}
    for result in run.results:
        if result.task in FLOWS and result.changed and result.host in ("node1", "node2", "node3"):
            lines = [line for line in result.diff["prepared"].splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
            flows = [line for line in lines if "group_id=" not in line]
            assert len(flows) == 4
            assert all(line.startswith("+") and ("192.168.77.14" in line or "fd77::14" in line) for line in flows)
            # A group is one line, before and after.
            assert {line[0] for line in lines if "group_id=" in line} == {"+", "-"}
    assert pings.lost == {}
    fabric.verify()


def test_removing_a_node_changes_only_what_it_must(fabric: FabricLab) -> None:
    fabric.succeed("uninstall", "--limit", "node4")
    fabric.set_nodes(1, 2, 3)
    with Pings(fabric) as pings:
        run = fabric.succeed("site", "--diff")
        fabric.succeed("lab_up")
    assert not (fabric.artifacts / "node4").exists()
    assert {task for _host, task in run.changed} - FLOWS == {"Compile the inventory to one program a node"}
    assert {host for host, task in run.changed if task in FLOWS} == {"node1", "node2", "node3"}
    assert "192.168.77.14" not in fabric.on("node1", "ovs-ofctl -O OpenFlow15 dump-flows br-sluice; cat /etc/sluice/flows.txt")
    assert pings.lost == {}
    assert fabric.succeed("site").changed == []


def test_a_limited_run_compiles_the_other_nodes_from_what_they_were(fabric: FabricLab) -> None:
    programs = _programs(fabric)
    assert fabric.succeed("site", "--limit", "node2").changed == []
    assert _programs(fabric) == programs


def test_uninstall_makes_the_nodes_what_they_were(fabric: FabricLab) -> None:
    fabric.succeed("uninstall", "-e", "uninstall_packages=true")
    for node, state in before.items():
        after = _without_library_packages(fabric.on(node, STATE)).splitlines()
        was = _without_library_packages(state).splitlines()
        assert (sorted(set(after) - set(was)), sorted(set(was) - set(after))) == ([], [])
    assert fabric.succeed("uninstall", "-e", "uninstall_packages=true").changed == []


def _programs(fabric: FabricLab) -> dict[str, str]:
    files = {str(path.relative_to(fabric.artifacts)): path.read_text() for path in fabric.artifacts.rglob("*") if path.is_file()}
    return {**files, "allocations.yml": Path(fabric.inventory, "allocations.yml").read_text()}


def _without_library_packages(state: str) -> str:
    """Packages that came as dependencies stay until `apt autoremove`, as with any package."""
    return "\n".join(line for line in state.splitlines() if not line.endswith(" installed"))


def test_the_demo_inventory_is_what_the_lab_runs() -> None:
    """The README's inventory has the three nodes that the tests above count on."""
    import yaml
    hosts = yaml.safe_load((Path(__file__).parents[3] / "inventories/demo/hosts.yml").read_text())
    assert json.dumps(sorted(hosts["sluice_nodes"]["hosts"])) == '["node1", "node2", "node3"]'
