# SPDX-License-Identifier: Apache-2.0
"""A private OVN: its own northbound and southbound databases, ovn-northd, and an ovn-controller for the bridge of an OvsSandbox."""
from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "bench"), str(ROOT / "tests" / "integration")]

from ovs_sandbox import OvsSandbox  # noqa: E402

from bench import cpu  # noqa: E402

SCHEMAS = Path("/usr/share/ovn")
BRIDGE = "br-int"
PATIENCE_SECONDS = 1800.0


class OvnSandbox:
    """The daemons live in the directory and network namespace of ``ovs``, and end with this context."""

    def __init__(self, ovs: OvsSandbox) -> None:
        self.ovs = ovs
        self._env = {**ovs.env, **{f"OVN_{kind}DIR": str(ovs.directory) for kind in ("RUN", "LOG", "DB", "SYSCONF")}}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> OvnSandbox:
        for name in ("nb", "sb"):
            file = self.ovs.directory / f"{name}.db"
            subprocess.run(["ovsdb-tool", "create", str(file), str(SCHEMAS / f"ovn-{name}.ovsschema")], check=True, capture_output=True)
            self._start(name, ["ovsdb-server", str(file), f"--remote=p{self._remote(name)}"])
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._daemons.values():
            process.terminate()
        for process in self._daemons.values():
            process.wait(60)

    def start_northd(self) -> None:
        self._start("northd", ["ovn-northd", f"--ovnnb-db={self._remote('nb')}", f"--ovnsb-db={self._remote('sb')}"])

    def add_bridge(self, interfaces: Mapping[str, str]) -> None:
        """The bridge for ovn-controller, with a port of each of these names, bound to the logical port beside it."""
        self.ovs.vsctl("--", "set", "Open_vSwitch", ".", "external_ids:system-id=bench", f"external_ids:ovn-remote={self._remote('sb')}",
                       "external_ids:ovn-encap-type=geneve", "external_ids:ovn-encap-ip=127.0.0.1", f"external_ids:ovn-bridge={BRIDGE}",
                       "external_ids:ovn-remote-probe-interval=0", "external_ids:ovn-openflow-probe-interval=0",
                       "other_config:bundle-idle-timeout=3600")
        self.ovs.vsctl("add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=dummy", "fail_mode=secure", *(
            word for name, logical in interfaces.items()
            for word in ("--", "add-port", BRIDGE, name, "--", "set", "interface", name, "type=internal", f"external_ids:iface-id={logical}")))

    def start_controller(self) -> None:
        # It has no --unixctl, and takes no notice of what is not there yet.
        self._popen("controller", ["ip", "netns", "exec", self.ovs.netns, "ovn-controller", self.ovs.database])

    def transact(self, operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """One transaction with the northbound database, and each operation's result. Raises AssertionError if it failed."""
        message = json.dumps({"method": "transact", "params": ["OVN_Northbound", *operations], "id": 0}, separators=(",", ":"))
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.ovs.directory / "nb.sock"))
            connection.sendall(message.encode())
            reply = b""
            # An answer has no mark at its end but its last brace.
            while not reply.endswith(b"}") or reply.count(b"{") != reply.count(b"}"):
                received = connection.recv(1 << 20)
                assert received, "the northbound database has gone"
                reply += received
        results: list[dict[str, Any]] = json.loads(reply)["result"]
        assert not any(result and "error" in result for result in results), [result for result in results if result and "error" in result][:3]
        return results

    def wait_compiled(self, sequence: int) -> None:
        """Until ovn-northd has made of the northbound database what it was when `next_cfg` gave it that number."""
        self._wait([{"op": "select", "table": "NB_Global", "where": [["sb_cfg", ">=", sequence]], "columns": []}], 0.005)

    def wait_up(self, logical_ports: Iterable[str]) -> None:
        """Until these ports are up, which they are when ovn-controller has put all flows that concern them on the bridge."""
        wanted = set(logical_ports)
        rows = self.transact([{"op": "select", "table": "Logical_Switch_Port", "where": [], "columns": ["_uuid", "name"]}])[0]["rows"]
        # By their ids, as any other select looks at all ports, again and again.
        self._wait([{"op": "select", "table": "Logical_Switch_Port", "where": [["_uuid", "==", row["_uuid"]], ["up", "==", True]], "columns": []}
                    for row in rows if row["name"] in wanted], 0.05)

    def flows(self) -> int:
        """How many flows the bridge has."""
        return int(self.ovs.ofctl("dump-aggregate", BRIDGE).rpartition("flow_count=")[2])

    def _wait(self, selects: list[dict[str, Any]], seconds: float) -> None:
        """Until each of them finds a row, which is asked for in intervals."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(result["rows"] for result in self.transact(selects)):
            assert time.monotonic() < deadline, f"nothing came of {selects[0]}"
            time.sleep(seconds)

    def cpu(self) -> float:
        """Seconds of CPU that the daemons have had, OVS' too."""
        pids = [process.pid for process in self._daemons.values()] + [self.ovs.pid("ovs-vswitchd")]
        return sum(cpu(pid) for pid in pids)

    def pid(self, daemon: str) -> int:
        return self._daemons[daemon].pid

    def _remote(self, name: str) -> str:
        return f"unix:{self.ovs.directory}/{name}.sock"

    def _start(self, name: str, command: list[str]) -> None:
        control = self.ovs.directory / f"{name}.ctl"
        self._popen(name, [*command, f"--unixctl={control}"])
        deadline = time.monotonic() + 20
        while not control.exists():
            assert self._daemons[name].poll() is None and time.monotonic() < deadline, f"{name} did not start"
            time.sleep(0.005)

    def _popen(self, name: str, command: list[str]) -> None:
        self._daemons[name] = subprocess.Popen(
            [*command, f"--log-file={self.ovs.directory}/{name}.log", "--verbose=console:off"],
            env=self._env, cwd=self.ovs.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def next_cfg(sequence: int) -> dict[str, Any]:
    """The operation that asks to be told, by `OvnSandbox.wait_compiled`, when a transaction has taken effect."""
    return {"op": "update", "table": "NB_Global", "where": [], "row": {"nb_cfg": sequence}}
