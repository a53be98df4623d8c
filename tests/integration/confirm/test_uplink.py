# SPDX-License-Identifier: Apache-2.0
"""A node's only uplink is moved into a bridge over the SSH connection that runs over it: the right way, and wrong ways, which are undone."""
from __future__ import annotations

import subprocess
from typing import Any

import yaml
from confirm.confirm_site import BRIDGE, MAC, ROOT, UPLINK, ConfirmSite, wait_for

MOVE = {UPLINK: BRIDGE}
KERNELS_OWN = ("fe80:", "ff00:")


def uplink(*ports: dict[str, Any], **columns: Any) -> dict[str, Any]:
    """A bridge with the uplink, or with other ports."""
    return {"bridges": [{"name": BRIDGE, "datapath_type": "netdev", "other_config": {"hwaddr": MAC}, **columns, "ports": [*(ports or ({"name": UPLINK},))]}]}


WRONG = {
    "addresses stay on the uplink": {"config": uplink()},
    "a VLAN that nobody else is in": {"config": uplink({"name": UPLINK, "tag": 20}), "move_addresses": MOVE},
    "a bridge that forwards nothing": {"config": uplink(fail_mode="secure"), "move_addresses": MOVE},
    "another device than the uplink": {"config": uplink({"name": "eth1"}), "move_addresses": MOVE},
    "another MAC, which the network does not let in": {"config": uplink(other_config={"hwaddr": "0a:00:00:00:66:66"}), "move_addresses": MOVE},
}


def addresses(network: Any, device: str) -> list[dict[str, Any]]:
    """Of a device, less those that the kernel makes, and less what names the device."""
    found: list[dict[str, Any]] = next((entries for name, _state, _flags, _mac, entries in network[0] if name == device), [])
    return [{key: value for key, value in entry.items() if key not in ("label", "nodad")} for entry in found if entry["scope"] != "link"]


def routes(network: Any, device: str) -> list[str]:
    return [route.replace(f'"{device}"', '"it"') for route in network[1] if f'"{device}"' in route and not any(own in route for own in KERNELS_OWN)]


def test_the_right_way_is_confirmed_and_the_node_answers_over_the_bridge(site: ConfirmSite) -> None:
    before = site.network()
    session = subprocess.Popen(site.ssh("cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    assert session.stdin and session.stdout
    predicted = site.change("--check", "--diff", config=uplink(), move_addresses=MOVE)
    assert (site.pending(), site.network()) == ([], before), "check mode has armed, or changed something"

    result = site.change("--diff", config=uplink(), move_addresses=MOVE, confirm_timeout=120)
    assert (result["changed"], result["failed"], result.get("confirmed")) == (True, False, True), result["output"]
    assert [line.split(" valid_lft")[0].split(" expires")[0] for line in predicted["plan"]] == \
        [line.split(" valid_lft")[0].split(" expires")[0] for line in result["plan"]]
    assert "ip addr replace 192.0.2.10/24" in result["output"]
    after = site.network()
    assert (addresses(after, BRIDGE), routes(after, BRIDGE)) == (addresses(before, UPLINK), routes(before, UPLINK))
    assert (addresses(after, UPLINK), routes(after, UPLINK)) == ([], [])
    session.stdin.write("the same session\n")
    assert session.stdout.readline() == "the same session\n"
    session.kill()

    again = site.change(config=uplink(), move_addresses=MOVE)
    assert (again["changed"], again["plan"]) == (False, [])
    assert [status["stage"] for status in site.pending()] == ["confirmed"], "a run that changes nothing has armed"

    # The bridge with the node's address goes: with it the addresses and routes, which no change of the database brings back.
    site.settle()
    before_removal = site.state()
    removal = site.start({"config": {"bridges": []}, "state": "overridden"})
    wait_for(lambda: site.stage() == "made", 30)
    assert not site.answers()
    (result,) = site.finish(removal)
    assert "so it was rolled back" in result["msg"]
    site.settle()
    assert site.state() == before_removal


def test_the_example_of_the_documentation_is_this_one() -> None:
    """Printed is what the test above runs, but for the datapath and the time."""
    source = (ROOT / "plugins/modules/switch.py").read_text()
    tasks = yaml.safe_load(source.partition('EXAMPLES = r"""')[2].partition('"""')[0])
    (example,) = (task["sluice.fabric.switch"] for task in tasks if "confirm_timeout" in task["sluice.fabric.switch"])
    (bridge,) = uplink()["bridges"]
    del bridge["datapath_type"]
    assert example == {"config": {"bridges": [{**bridge, "other_config": {"hwaddr": "{{ uplink_mac }}"}}]}, "move_addresses": MOVE, "confirm_timeout": 60}


def test_wrong_ways_are_rolled_back(site: ConfirmSite) -> None:
    site.ip("link add eth1 type veth peer name eth1-end", "link set eth1 up", "link set eth1-end up")
    # The other end lets only the node's MAC in, as clouds and campus switches do.
    site.on_controller("nft", f"add table netdev port; add chain netdev port in {{ type filter hook ingress device wire priority 0; policy accept; }}; "
                              f"add rule netdev port in ether saddr != {MAC} drop")
    site.settle()
    before = site.state()
    for name, options in WRONG.items():
        run = site.start(options)
        wait_for(lambda: site.stage() == "made", 30)
        assert not site.answers(), name
        (result,) = site.finish(run)
        assert result["failed"] and not result["changed"] and result["confirmed"] is False, name
        assert "the node could not be reached over a new connection" in result["msg"], name
        assert "so it was rolled back" in result["msg"], name
        site.settle()
        assert site.state() == before, name
        assert site.answers(), name


def test_what_open_vswitch_cannot_do_is_rolled_back_at_once(site: ConfirmSite) -> None:
    before = site.state()
    result = site.change(config=uplink({"name": UPLINK}, {"name": "eth9"}), move_addresses=MOVE, confirm_timeout=120)
    assert result["failed"]
    assert "could not open network device eth9 (No such device)" in result["msg"]
    assert "so it was rolled back" in result["msg"]
    site.settle()
    assert site.state() == before


def test_what_is_wrong_is_refused_before_anything_is_armed(site: ConfirmSite) -> None:
    before = site.state()
    refused: list[tuple[dict[str, Any], str]] = [
        ({"move_addresses": {"eth7": BRIDGE}}, "move_addresses.eth7: this host has no such device"),
        ({"move_addresses": {UPLINK: "br-other"}}, "there is no bridge br-other"),
        ({"confirm_timeout": 0}, "confirm_timeout: is 0"),
        ({"database": "tcp:127.0.0.1:6640"}, "confirm_timeout: works on the node itself"),
    ]
    results = site.finish(site.start(*({"config": uplink(), **options} for options, _message in refused)))
    for result, (_options, message) in zip(results, refused):
        assert result["failed"] and message in result["msg"], result["output"]
    assert (site.pending(), site.state()) == ([], before)
