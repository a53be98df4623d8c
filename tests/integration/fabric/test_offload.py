# SPDX-License-Identifier: Apache-2.0
"""Offload without a SmartNIC: the flows of pods in tc's software on the kernel's datapath, and a NIC that the kernel pretends to have (netdevsim: real
devlink, VFs and representors, no packets). On one virtual machine with Ubuntu, whose kernel has what Debian's is built without (CONFIG_NET_TC_SKB_EXT,
netdevsim). The tests are in an order."""
from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from fabric.fabric_lab import VIRTUAL, FabricLab

pytestmark = pytest.mark.vm

NODE = "node1"
MODULES = "?and(?name(^linux-modules-extra-),?depends(?and(?name(^linux-modules-[0-9]),?installed)))"
"""The rest of the kernel's modules (apt-patterns(7)): Ubuntu has them in a package of their own."""
SERVICE = "10.96.0.100"
NIC = {"interface": "netdevsim1", "vfs": 3, "mode": "switchdev", "tc_offload": True, "representors": "nsim0r{vf}"}
"""By its address: the interface is eth2 here, and something else with other drivers."""
OFFLOAD = {"hw_offload": True, "tc_policy": "skip_hw", "max_idle": 30000}
FILES = ("/etc/sluice/smartnic.json", "/etc/systemd/system/sluice-smartnic.service", "/etc/udev/rules.d/70-sluice-smartnic.rules")

# A NIC is there when the boot unit looks for it; the machine's own interfaces have their names by then.
NETDEVSIM = """\
[Unit]
Description=A NIC that the kernel pretends to have
Wants=systemd-udev-settle.service
After=systemd-udev-settle.service
Before=sluice-smartnic.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'modprobe netdevsim && echo "1 1" > /sys/bus/netdevsim/new_device'

[Install]
WantedBy=multi-user.target
"""

MANIFESTS = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: web, image: web}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop, labels: {app: client}}
spec: {containers: [{name: client, image: client}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: SERVICE, selector: {app: web}, ports: [{port: 80, targetPort: 7999}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{podSelector: {matchLabels: {app: CLIENT}}}], ports: [{port: 7999}]}]
"""

SERVER = """
import socket
server = socket.create_server(("", 7999))
while True:
    connection = server.accept()[0]
    while connection.recv(65536):
        connection.sendall(b"x" * 1000)
"""
CLIENT = f"""
import socket, time
connection = socket.create_connection(("{SERVICE}", 80), 60)
while True:
    connection.sendall(b"y" * 1000)
    connection.recv(65536)
    print("answered", flush=True)
    time.sleep(0.05)
"""

T = TypeVar("T")


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabricLab]:
    lab = FabricLab("o" + uuid.uuid4().hex[:6], tmp_path_factory.mktemp("fabric"))
    try:
        lab.set_nodes(1)
        lab.set_variables(**VIRTUAL, sluice_lab_release="noble", sluice_lab_extra_packages=[MODULES], ansible_timeout=60, workloads_wait=600,
                          sluice_offload={**OFFLOAD, "nics": [NIC]})
        for file in (lab.inventory / "manifests").iterdir():
            file.unlink()
        allow(lab, "client")
        lab.succeed("lab_up")
        # What is wanted of the thousands in it: an emulated machine would be minutes about the others.
        lab.on(NODE, "dpkg-deb --fsys-tarfile /srv/apt/linux-modules-extra-*.deb | "
                     "tar --extract --directory=/ --wildcards '*/netdevsim.ko*' '*/ptp_mock.ko*'; depmod")
        put(lab, "/etc/systemd/system/netdevsim.service", NETDEVSIM)
        lab.on(NODE, "systemctl daemon-reload && systemctl enable --now netdevsim")
        yield lab
    finally:
        lab.run("lab_down")


def allow(fabric: FabricLab, app: str) -> None:
    """The inventory in which pods of ``app``, and no others, may reach web."""
    (fabric.inventory / "manifests/shop.yml").write_text(MANIFESTS.replace("SERVICE", SERVICE).replace("CLIENT", app))


def put(fabric: FabricLab, path: str, text: str) -> None:
    fabric.on(NODE, f"cat > {path} <<'END'\n{text}END\n")


def start(fabric: FabricLab, pod: str, program: str) -> None:
    """A Python program in a pod's namespace; what it prints is in /tmp/<pod>.txt."""
    put(fabric, f"/tmp/{pod}.py", program)
    fabric.on(NODE, f"nohup {fabric.pod_command(fabric.pod(pod), f'python3 /tmp/{pod}.py')} >/tmp/{pod}.txt 2>&1 &")


def answers(fabric: FabricLab) -> int:
    return int(fabric.on(NODE, "grep -c answered /tmp/client.txt", check=False) or 0)


def flows(fabric: FabricLab, layer: str) -> list[str]:
    """The datapath's IPv4 flows that are in ``layer`` (tc, ovs)."""
    lines = fabric.on(NODE, f"ovs-appctl dpctl/dump-flows --names type={layer}").splitlines()
    return [line for line in lines if "eth_type(0x0800)" in line]


def forwarding(fabric: FabricLab) -> list[str]:
    """The flows in tc that hand the client's packets to web."""
    client, web = (fabric.pod(name)["interface"] for name in ("client", "web"))
    return [line for line in flows(fabric, "tc") if f"in_port({client})" in line and line.endswith(web)]


def filters(fabric: FabricLab) -> str:
    """What tc has for the client's packets, with its counters."""
    return fabric.on(NODE, f"tc -s filter show dev {fabric.pod('client')['interface']} ingress")


def packets(text: str) -> int:
    return sum(map(int, re.findall(r"Sent \d+ bytes (\d+) pkt", text)))


def wait_for(what: Callable[[], T], seconds: float = 60) -> T:
    """What it gives once that is true, or at last."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found or time.monotonic() > end:
            return found
        time.sleep(1)


def nic(fabric: FabricLab) -> dict[str, Any]:
    """What sysfs and devlink say of it: mode, number of VFs, the names of representors by their port's name."""
    device = "/sys/bus/netdevsim/devices/netdevsim1"
    told = json.loads(fabric.on(NODE, "devlink -j dev eswitch show netdevsim/netdevsim1"))["dev"]["netdevsim/netdevsim1"]
    ports = fabric.on(NODE, f"cd {device}/net; for name in *; do echo $(cat $name/phys_port_name) $name; done")
    return {"mode": told["mode"], "vfs": int(fabric.on(NODE, f"cat {device}/sriov_numvfs")),
            "representors": dict(line.split() for line in ports.splitlines() if "vf" in line.split()[0])}


MADE = {"mode": "switchdev", "vfs": 3, "representors": {f"pf0vf{vf}": f"nsim0r{vf}" for vf in range(3)}}
BEFORE: dict[str, Any] = {"mode": "legacy", "vfs": 0, "representors": {}}


def test_a_nic_has_vfs_and_representors(fabric: FabricLab) -> None:
    assert nic(fabric) == BEFORE
    run = fabric.succeed("site")
    assert "this kernel was built without" not in run.output
    assert nic(fabric) == MADE
    assert "hw-tc-offload: on" in fabric.on(NODE, "ethtool -k nsim0r2")


def test_flows_of_an_allowed_connection_are_in_tc(fabric: FabricLab) -> None:
    """Those of conntrack and of the Service's translation too; none is left in Open vSwitch's datapath."""
    start(fabric, "web", SERVER)
    time.sleep(3)
    start(fabric, "client", CLIENT)
    assert wait_for(lambda: answers(fabric) > 40), fabric.on(NODE, "cat /tmp/web.txt /tmp/client.txt")
    in_tc = flows(fabric, "tc")
    print("\n".join(in_tc))
    assert forwarding(fabric), flows(fabric, "ovs")
    assert any("ct_state(" in line and "recirc_id(0x" in line for line in in_tc) and any("nat(dst=" in line for line in in_tc), in_tc
    client = fabric.pod("client")["interface"]
    assert not [line for line in flows(fabric, "ovs") if f"in_port({client})" in line]
    text = filters(fabric)
    print(text)
    assert "flower" in text and "not_in_hw" in text and re.search(r"action order \d+: ct commit .*nat dst", text), text
    before, count = packets(text), answers(fabric)
    assert wait_for(lambda: answers(fabric) > count + 20)
    assert packets(filters(fabric)) >= before + 20


def test_a_policy_that_is_gone_takes_them_out(fabric: FabricLab) -> None:
    allow(fabric, "other")
    fabric.succeed("policy")
    assert wait_for(lambda: not forwarding(fabric)), forwarding(fabric)
    client = fabric.pod("client")["interface"]
    assert any(f"in_port({client})" in line and line.endswith("actions:drop") for line in flows(fabric, "tc"))
    count = answers(fabric)
    time.sleep(5)
    assert answers(fabric) == count


def test_refused_before_anything_is_touched(fabric: FabricLab) -> None:
    fabric.set_variables(sluice_offload={**OFFLOAD, "nics": [{**NIC, "vfs": 2, "encap_mode": "basic"}]})
    run = fabric.run("site")
    assert run.code != 0 and "encap_mode: the NIC has no such setting" in run.output
    assert nic(fabric) == MADE


def test_another_number_of_vfs_is_what_check_mode_says_and_a_second_run_changes_nothing(fabric: FabricLab) -> None:
    fabric.set_variables(sluice_offload={**OFFLOAD, "nics": [{**NIC, "vfs": 2}]})
    expected = fabric.succeed("site", "--check", "--diff")
    assert nic(fabric) == MADE
    run = fabric.succeed("site", "--diff")
    assert run.changed == expected.changed
    assert len(nic(fabric)["representors"]) == 2
    assert fabric.succeed("site").changed == []


def test_after_a_reboot_it_is_the_same(fabric: FabricLab) -> None:
    before = nic(fabric)
    fabric.reboot(NODE)
    fabric.on(NODE, "systemctl is-system-running --wait", check=False)
    assert fabric.on(NODE, "systemctl is-active sluice-smartnic").strip() == "active"
    assert nic(fabric) == before


def test_without_it_nothing_is_left(fabric: FabricLab) -> None:
    fabric.set_variables(sluice_offload=None)
    fabric.succeed("site")
    assert nic(fabric) == BEFORE
    assert fabric.on(NODE, f"ls {' '.join(FILES)} /var/lib/sluice/smartnic-before.json 2>/dev/null", check=False) == ""
    assert flows(fabric, "tc") == []
    assert "hw-offload" not in fabric.on(NODE, "ovs-vsctl get Open_vSwitch . other_config")
