# SPDX-License-Identifier: Apache-2.0
"""A node behind one uplink, and a controller at its other end: real sshd, real Open vSwitch, real playbooks, in network namespaces."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from ovs_sandbox import OvsSandbox

ROOT = Path(__file__).parents[3]
UPLINK, BRIDGE = "eth0", "br-ex"
NODE, CONTROLLER, ROUTER = "192.0.2.10", "192.0.2.1", "192.0.2.254"
MAC = "0a:00:00:00:02:10"
PLAYBOOK_SECONDS = 240


class ConfirmSite:
    """Use as a context manager. The node's processes have a PID namespace of their own, so that none outlives the test, and own /run and /var/lib."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ovs = OvsSandbox()
        self.controller = f"sluice-ctl-{uuid.uuid4().hex[:8]}"
        self._sshd: subprocess.Popen[bytes] | None = None
        self._kernel: Kernel | None = None

    def __enter__(self) -> ConfirmSite:
        try:
            self._connect()
            self.ovs.start()
            self._start_sshd()
            self._kernel = Kernel(self)
            self.settle()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._kernel:
            self._kernel.stop()
        if self._sshd:
            os.killpg(self._sshd.pid, signal.SIGKILL)
            self._sshd.wait()
        for control in self.folder.glob("cp/*"):
            subprocess.run(["ssh", "-o", f"ControlPath={control}", "-O", "exit", "node"], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "delete", self.controller], check=False, capture_output=True)
        self.ovs.destroy()

    def _connect(self) -> None:
        """One link; on the node's end several addresses and routes of several kinds."""
        run("ip", "netns", "add", self.controller)
        run("ip", "link", "add", UPLINK, "netns", self.ovs.netns, "address", MAC, "type", "veth", "peer", "name", "wire", "netns", self.controller)
        for netns, device in ((self.ovs.netns, UPLINK), (self.controller, "wire")):
            # The switch takes packets by a packet socket, to which checksums that are left to the device look wrong.
            run("ip", "netns", "exec", netns, "ethtool", "-K", device, "tx", "off")
            self._ip(netns, "link set lo up", f"link set {device} up")
        self._ip(self.controller, f"addr add {CONTROLLER}/24 dev wire", f"addr add {ROUTER}/24 dev wire", "addr add fd00::1/64 dev wire nodad")
        self._ip(
            self.ovs.netns, f"addr add {NODE}/24 brd + dev eth0", "addr add 192.0.2.11/24 dev eth0", "addr add 198.51.100.7/32 dev eth0 label eth0:vip",
            "addr add 203.0.113.9/24 dev eth0 valid_lft 7200 preferred_lft 3600 noprefixroute", "addr add fd00::10/64 dev eth0 nodad",
            f"route add default via {ROUTER} dev eth0 proto dhcp src {NODE} metric 100 mtu 1400",
            f"route add 203.0.113.128/25 via {CONTROLLER} dev eth0 metric 7", "route add 198.18.0.0/15 dev eth0 scope link table 77",
            f"route add 198.51.100.64/26 nexthop via {CONTROLLER} dev eth0 weight 2 nexthop via {ROUTER} dev eth0",
            "route add default via fd00::1 dev eth0 metric 1024", "route add fd01::/64 via fd00::1 dev eth0 expires 7200")

    def _start_sshd(self) -> None:
        for name in ("host_key", "user_key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name))
        (self.folder / "authorized_keys").write_text((self.folder / "user_key.pub").read_text())
        public = (self.folder / "host_key.pub").read_text()
        (self.folder / "known_hosts").write_text(f"{NODE} {public}")
        config = self.folder / "sshd_config"
        config.write_text(f"HostKey {self.folder}/host_key\nAuthorizedKeysFile {self.folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
                          "PermitRootLogin prohibit-password\nPidFile none\nUseDNS no\n")
        script = ("mount -t tmpfs tmpfs /run && mkdir /run/sshd && mount -t tmpfs tmpfs /var/lib && "
                  f"exec /usr/sbin/sshd -D -e -f {config} 2>{self.folder}/sshd.log")
        self._sshd = subprocess.Popen(
            ["ip", "netns", "exec", self.ovs.netns, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script],
            stdin=subprocess.DEVNULL, start_new_session=True)
        wait_for(lambda: "Server listening" in (self.folder / "sshd.log").read_text() if (self.folder / "sshd.log").exists() else False, 20)

    @staticmethod
    def _ip(netns: str, *commands: str) -> None:
        for command in commands:
            run("ip", "-n", netns, *command.split())

    def ip(self, *commands: str) -> None:
        """On the node."""
        self._ip(self.ovs.netns, *commands)

    def settle(self) -> None:
        """Wait until the kernel has probed its link-local addresses for duplicates (RFC 4862 section 5.4)."""
        wait_for(lambda: "tentative" not in self.ovs.in_netns("ip", "-6", "addr", "show"), 10)

    # --- what the tests look at ---

    def node_pids(self) -> dict[int, str]:
        """Of the node, by the test's numbers, with their command lines."""
        assert self._sshd
        first = int(Path(f"/proc/{self._sshd.pid}/task/{self._sshd.pid}/children").read_text().split()[0])
        namespace = Path(f"/proc/{first}/ns/pid").readlink()
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            # It may end at any moment.
            with suppress(OSError):
                if (process / "ns/pid").readlink() == namespace:
                    found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return found

    @property
    def confirm_folder(self) -> Path:
        """The node's /var/lib/sluice/confirm."""
        first = min(pid for pid, command in self.node_pids().items() if "sshd" in command)
        return Path(f"/proc/{first}/root/var/lib/sluice/confirm")

    def stage(self) -> str:
        """Of the only change."""
        return "".join(status["stage"] for status in self.pending() if status["stage"] not in ("confirmed", "rolled back"))

    def guardians(self) -> list[int]:
        return [pid for pid, command in self.node_pids().items() if "engine.pyz guard" in command]

    def pending(self) -> list[dict[str, Any]]:
        """The statuses of what waits for a decision, or has waited lately."""
        return [json.loads(file.read_text()) for file in self.confirm_folder.glob("*/status.json")]

    def network(self) -> Any:
        """All of `ip -j addr` and `ip -j route`, less what the clock changes and the kernel's own order."""
        links = json.loads(self.ovs.in_netns("ip", "-j", "addr", "show"))
        routes = json.loads(self.ovs.in_netns("ip", "-j", "route", "show", "table", "all"))
        clock = {"valid_life_time", "preferred_life_time", "expires"}
        addresses = [[link["ifname"], link["operstate"], sorted(link["flags"]), link.get("address"),
                      [{key: value for key, value in entry.items() if key not in clock} for entry in link["addr_info"]]]
                     for link in links if not link["ifname"].startswith("ovs-")]
        return addresses, sorted(json.dumps({key: value for key, value in route.items() if key not in clock}, sort_keys=True) for route in routes)

    def database(self) -> Any:
        """All rows with all their columns; a row is named by what it is, as it may have been made anew."""
        text = subprocess.run(["ovsdb-client", "backup", self.ovs.database], capture_output=True, text=True, check=True).stdout
        names: dict[str, str] = {}
        tables = {}
        for line in text.splitlines():
            if line.startswith("{") and '"_date"' in line:
                tables = json.loads(line)
        for table, rows in tables.items():
            if isinstance(rows, dict):
                for row, columns in rows.items():
                    names[row] = f"{table} {columns.get('name', columns.get('target', ''))}"
        volatile = {"next_cfg", "cur_cfg", "statistics", "status", "ifindex", "mac_in_use", "link_resets", "datapath_version"}
        found = {}
        for table, rows in tables.items():
            if isinstance(rows, dict):
                found[table] = sorted(json.dumps({column: named(value, names) for column, value in columns.items() if column not in volatile}, sort_keys=True)
                                      for columns in rows.values())
        return found

    def state(self) -> Any:
        """Everything that a rollback has to bring back."""
        return self.network(), self.database()

    def answers(self) -> bool:
        """Whether a new connection to the node's sshd succeeds."""
        done = subprocess.run(["ip", "netns", "exec", self.controller, "ssh-keyscan", "-T", "1", NODE], capture_output=True, check=False)
        return b"ssh-ed25519" in done.stdout

    # --- the controller ---

    def on_controller(self, *command: str) -> None:
        run("ip", "netns", "exec", self.controller, *command)

    def ssh(self, command: str) -> list[str]:
        """A command on the node over a connection of its own."""
        return ["ip", "netns", "exec", self.controller, "ssh", "-F", "none", "-i", str(self.folder / "user_key"),
                "-o", f"UserKnownHostsFile={self.folder}/known_hosts", f"root@{NODE}", command]

    def _start_playbook(self, tasks: list[dict[str, Any]], *arguments: str) -> subprocess.Popen[str]:
        folder = self.folder / uuid.uuid4().hex[:8]
        folder.mkdir()
        play = folder / "play.yml"
        play.write_text(yaml.safe_dump([{"hosts": "node", "gather_facts": False, "tasks": tasks}]))
        inventory = folder / "hosts.yml"
        inventory.write_text(yaml.safe_dump({"all": {"hosts": {"node": {
            "ansible_host": NODE, "ansible_user": "root", "ansible_ssh_private_key_file": str(self.folder / "user_key"),
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.folder}/known_hosts -F none"}}}}))
        environment = {
            **os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{self.folder}/cp"}
        return subprocess.Popen(
            ["ip", "netns", "exec", self.controller, str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), str(play), "-vv", *arguments],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def start(self, *runs: dict[str, Any], flags: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """A playbook with a task for each set of options of the module."""
        tasks: list[dict[str, Any]] = [
            {"sluice.fabric.switch": {"database": self.ovs.database, "confirm_timeout": 8, **options}, "register": f"done{number}",
             "ignore_errors": True, "ignore_unreachable": True}
            for number, options in enumerate(runs)]
        results = ", ".join(f"done{number}" for number in range(len(runs)))
        tasks.append({
            "ansible.builtin.copy": {"content": f"{{{{ [{results}] | to_json }}}}", "dest": str(self.folder / "done.json")},
            "delegate_to": "localhost", "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}, "check_mode": False})
        return self._start_playbook(tasks, *flags)

    def finish(self, playbook: subprocess.Popen[str]) -> list[dict[str, Any]]:
        """The modules' results, each with all that Ansible has printed."""
        output, _nothing = playbook.communicate(timeout=PLAYBOOK_SECONDS)
        file = self.folder / "done.json"
        assert file.exists(), output
        results = json.loads(file.read_text())
        file.unlink()
        return [{"failed": False, **result, "output": output} for result in results]

    def change(self, *flags: str, **options: Any) -> dict[str, Any]:
        """The result of one task, run to its end."""
        (result,) = self.finish(self.start(options, flags=flags))
        return result


class Kernel(threading.Thread):
    """Does for the userspace datapath what the kernel's does: packets of a device that is a port are the switch's alone.

    The userspace datapath leaves the kernel a copy, by which an address on the device would go on answering (docs/decisions/0003).
    """

    def __init__(self, site: ConfirmSite) -> None:
        super().__init__(daemon=True)
        self._site, self._ended = site, threading.Event()
        self.start()

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        netns, taken = self._site.ovs.netns, False
        while not self._ended.wait(0.02):
            sockets = subprocess.run(["ip", "netns", "exec", netns, "cat", "/proc/net/packet"], capture_output=True, text=True, check=False).stdout
            number = json.loads(subprocess.run(["ip", "-n", netns, "-j", "link", "show", UPLINK], capture_output=True, text=True, check=False).stdout or "[{}]")
            is_port = any(line.split()[4] == str(number[0].get("ifindex")) for line in sockets.splitlines()[1:])
            if is_port != taken:
                taken = is_port
                table = f"add table netdev port; add chain netdev port kernel {{ type filter hook ingress device {UPLINK} priority -500; policy drop; }}"
                subprocess.run(["ip", "netns", "exec", netns, "nft", table if taken else "delete table netdev port"], check=False, capture_output=True)


def named(value: Any, names: dict[str, str]) -> Any:
    """A value of the database with the names of rows instead of their UUIDs."""
    if isinstance(value, list) and len(value) == 2 and value[0] == "uuid":
        return names.get(value[1], "a row")
    if isinstance(value, list) and len(value) == 2 and value[0] in ("set", "map"):
        return [value[0], sorted((named(item, names) for item in value[1]), key=json.dumps)]
    return [named(item, names) for item in value] if isinstance(value, list) else value


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def wait_for(condition: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to that in time"
        time.sleep(0.05)


__all__ = ["BRIDGE", "CONTROLLER", "MAC", "NODE", "UPLINK", "ConfirmSite", "run", "wait_for"]
