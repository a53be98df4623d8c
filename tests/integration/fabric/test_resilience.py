# SPDX-License-Identifier: Apache-2.0
"""Restarts, deaths and a reboot: the network comes back by itself, and until then nothing passes; faults in the middle of a run."""
from __future__ import annotations

import shlex
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fabric.fabric_lab import FabricLab

DEATHS = {
    "restart of ovs-vswitchd": "systemctl restart ovs-vswitchd",
    "restart of ovsdb-server": "systemctl restart ovsdb-server",
    "restart of both": "systemctl restart openvswitch-switch",
    "kill -9 of ovs-vswitchd": "kill -9 $(pidof ovs-vswitchd)",
    "kill -9 of ovsdb-server": "kill -9 $(pidof ovsdb-server)",
}


@pytest.fixture(scope="module")
def running(fabric: FabricLab) -> FabricLab:
    fabric.succeed("site")
    fabric.verify()
    return fabric


@pytest.mark.parametrize("death", DEATHS)
def test_the_network_comes_back_by_itself(running: FabricLab, death: str) -> None:
    running.on("node1", DEATHS[death])
    running.wait_until_back("node1")
    running.verify()
    assert running.succeed("site").changed == []


def test_nothing_passes_while_the_flows_are_not_back(running: FabricLab) -> None:
    """With the unit that puts the flows back held off, the restarted switch forwards nothing, not even what it did before."""
    source, target = running.pod("api"), next(pod for pod in running.pods() if pod["node"] == running.pod("api")["node"] and "api" not in pod["name"])
    node = source["node"]
    ping = running.pod_command(source, f"ping -c 2 -i 0.2 -W 1 {target['ips'][0]}")
    assert " 2 received" in running.on(node, ping)
    hold = "/run/systemd/system/sluice-node.service.d"
    running.on(node, f"mkdir -p {hold} && printf '[Unit]\\nConditionPathExists=/nonexistent\\n' > {hold}/hold.conf && systemctl daemon-reload"
                     " && systemctl restart ovs-vswitchd")
    try:
        running.on(node, "timeout 20 sh -c 'until ovs-vsctl --timeout=1 get interface sluice-gw0 ofport | grep -qx 1; do sleep 0.2; done'")
        assert "flow_count=0" in running.on(node, "ovs-ofctl -O OpenFlow15 dump-aggregate br-sluice")
        assert " 0 received" in running.on(node, ping, check=False)
    finally:
        running.on(node, f"rm -r {hold} && systemctl daemon-reload && systemctl restart ovs-vswitchd")
    running.wait_until_back(node)


def test_a_container_that_no_inventory_knows(running: FabricLab) -> None:
    """containerd attaches it by the same CNI; it has an address of the node's range, is left alone by site, and survives a restart of the switch."""
    sleeper = "trap 'exit 0' TERM; sleep 600 & wait"
    running.on("node1", "mkdir -p /run/guest && cd /run/guest && mkdir usr proc sys dev tmp etc && for name in bin lib lib64; do ln -s usr/$name $name; done"
                        " && systemd-run --quiet --unit=guest ctr run --rm --cni --rootfs --mount type=bind,src=/usr,dst=/usr,options=rbind:ro"
                        f" /run/guest guest /bin/sh -c {shlex.quote(sleeper)}")
    inside = "nsenter --net=/proc/$(ctr task ls | awk '$1 == \"guest\" {print $2}')/ns/net"
    running.on("node1", f"timeout 20 sh -c {shlex.quote(f'until {inside} ip link show eth0; do sleep 0.5; done')}")
    shown = running.on("node1", f"{inside} ip -o addr show eth0")
    assert "10.10.0.192/24" in shown
    assert "fd10:10::c0/64" in shown
    remote = next(pod for pod in running.pods() if pod["node"] == "node2")
    pings = [f"{inside} ping -c 3 -i 0.3 -W 1 {ip} | grep -q 'bytes from'" for ip in remote["ips"]]
    for ping in pings:
        running.on("node1", ping)
    assert running.succeed("site").changed == []
    running.on("node1", "systemctl restart ovs-vswitchd")
    running.wait_until_back("node1")
    for ping in pings:
        running.on("node1", ping)
    running.on("node1", "systemctl stop guest; rm -r /run/guest")
    assert "dynamic" not in running.on("node1", "ovs-ofctl -O OpenFlow15 dump-flows br-sluice | grep -q 0x51cd && echo dynamic; true")


def test_a_reboot(running: FabricLab) -> None:
    running.reboot("node2")
    running.wait_until_back("node2")
    running.verify()
    assert running.succeed("site").changed == []


def test_ovs_vswitchd_stopped_in_the_middle(running: FabricLab) -> None:
    """A daemon that does not answer is told, its flows stay, and the next run completes."""
    flows = "ovs-ofctl -O OpenFlow15 --names --no-stats dump-flows br-sluice | sort"
    before = running.on("node3", flows)
    running.set_variables(sluice_mtu=1400)
    running.on("node3", "kill -STOP $(pidof ovs-vswitchd)")
    try:
        run = running.run("site")
    finally:
        running.on("node3", "kill -CONT $(pidof ovs-vswitchd)")
    assert run.code != 0
    failed = [result for result in run.results if result.outcome == "failed"]
    assert {result.host for result in failed} == {"node3"}
    assert "ovs-vswitchd" in str(failed[0].msg)
    assert "Traceback" not in run.output
    assert running.on("node3", flows) == before
    assert {host for host, _task in running.succeed("site").changed} <= {"node3"}
    running.verify()
    running.set_variables(sluice_mtu=None)
    running.succeed("site")


def test_a_full_disk_leaves_the_old_artifacts_whole(running: FabricLab, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("full")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=True)
    try:
        running.set_variables(sluice_artifacts_dir=str(folder))
        running.succeed("site")
        old = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        with (folder / "filler").open("wb") as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
                    filler.flush()
            except OSError:
                pass
        running.set_variables(sluice_mtu=1400)
        run = running.run("site")
        assert run.code != 0
        assert "could not be written, and nothing was changed on any node: No space left on device" in run.output
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "filler"} == old
        assert not [result for result in run.results if result.changed]
        (folder / "filler").unlink()
        assert running.succeed("site").changed != []
    finally:
        running.set_variables(sluice_artifacts_dir=None, sluice_mtu=None)
        subprocess.run(["umount", "-l", str(folder)], check=True)
    running.succeed("site")


def test_ssh_cut_in_the_middle(running: FabricLab) -> None:
    """A node whose connection breaks between two tasks is told as unreachable; the others are done, and the next run completes."""
    running.set_variables(sluice_mtu=1400)
    link = ["ip", "-n", f"sluice-{running.name}", "link", "set", "node3.m"]
    with ThreadPoolExecutor() as pool:
        site = pool.submit(running.run, "site")
        try:
            while not site.done() and not running.has_done("node3", "Put bridges and ports"):
                time.sleep(0.02)
            subprocess.run([*link, "down"], check=True)
            run = site.result()
        finally:
            subprocess.run([*link, "up"], check=True)
    assert run.code != 0
    assert {result.host for result in run.results if result.outcome == "unreachable"} == {"node3"}
    assert "Traceback" not in run.output
    assert "node1" in {result.host for result in run.results if result.task.startswith("Put the flows") and result.outcome == "ok"}
    running.succeed("site")
    running.verify()
    assert running.succeed("site").changed == []
    running.set_variables(sluice_mtu=None)
    running.succeed("site")
