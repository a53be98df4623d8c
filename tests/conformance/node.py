# SPDX-License-Identifier: Apache-2.0
"""A node of the standing lab: network and mount namespaces in which Open vSwitch and Sluice's modules are as on a host of their own."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Mapping

from .namespaces import run

ROOT = Path(__file__).parents[2]
MODULES = "ansible_collections.sluice.fabric.plugins.modules"
READY_SECONDS = 30.0

# Everything that Open vSwitch and the modules write lies in memory of this node's own, so both are used as they are on any host.
_SETUP = """\
set -e
mount -t tmpfs sluice /run
mkdir -p /run/openvswitch /run/etc /run/etc-work
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/etc-work sluice /etc
mount -t tmpfs sluice /var/lib
mount -t tmpfs sluice /var/log
mkdir -p /etc/openvswitch /var/log/openvswitch /var/lib/openvswitch
rm -f /etc/openvswitch/conf.db
ovsdb-tool create /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
ip link set lo up
echo ready
exec sleep infinity
"""


class ModuleFailed(Exception):
    """A module of the collection failed; the text is its message."""


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self._processes: list[subprocess.Popen[str]] = []
        keeper = self._start(["unshare", "--mount", "--net", "sh", "-c", _SETUP], output=subprocess.PIPE)
        assert keeper.stdout is not None
        if keeper.stdout.readline() != "ready\n":
            raise RuntimeError(f"the namespaces of {name} could not be made: {keeper.stdout.read()}")
        self._enter = ["nsenter", f"--net=/proc/{keeper.pid}/ns/net", f"--mount=/proc/{keeper.pid}/ns/mnt"]
        self.netns = os.open(f"/proc/{keeper.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.root = Path(f"/proc/{keeper.pid}/root")
        """Its files and sockets, as they are seen from outside."""
        self._daemon("ovsdb-server", "/etc/openvswitch/conf.db", "--remote=punix:/run/openvswitch/db.sock")
        self.run("ovs-vsctl", "--no-wait", "init")
        self.start_switch()
        self._agent: subprocess.Popen[str] | None = None

    def start_switch(self) -> None:
        """Begin ovs-vswitchd, which makes of the database what it can."""
        self._switch = self._daemon("ovs-vswitchd", "--disable-system")

    def kill_switch(self) -> None:
        """End ovs-vswitchd at once, as a crash does."""
        self._switch.kill()
        self._switch.wait()

    def run(self, *command: str) -> str:
        """A program's output on the node."""
        return run([*self._enter, *command])

    def start_module(self, name: str, options: Mapping[str, Any]) -> ModuleRun:
        """Begin the execution of a module of the collection."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
        with tempfile.TemporaryFile("w+") as arguments:
            json.dump({"ANSIBLE_MODULE_ARGS": options}, arguments)
            arguments.seek(0)
            process = subprocess.Popen([*self._enter, sys.executable, "-m", f"{MODULES}.{name}"], env=environment, text=True,
                                       stdin=arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return ModuleRun(f"{name} on {self.name}", process)

    def module(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The result of one execution. Raises ModuleFailed."""
        return self.start_module(name, options).result()

    def write(self, path: str, text: str) -> None:
        """A file of the node; its folder is made."""
        run([*self._enter, "sh", "-c", f"mkdir -p {Path(path).parent} && cat > {path}"], text)

    def start_agent(self) -> None:
        """The node's agent, as its systemd unit would run it; once."""
        if self._agent is None:
            environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
            self._agent = self._start([*self._enter, sys.executable, "-m", "sluice.node.command", "agent"], environment)

    def close(self) -> None:
        for process in reversed(self._processes):
            process.kill()
        for process in self._processes:
            process.wait()
        os.close(self.netns)

    def _daemon(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        control = f"/run/openvswitch/{name}.ctl"
        (self.root / control[1:]).unlink(missing_ok=True)
        process = self._start([*self._enter, name, *arguments, f"--unixctl={control}", "--pidfile", "--log-file", "--verbose=console:off"])
        deadline = time.monotonic() + READY_SECONDS
        while subprocess.run([*self._enter, "test", "-S", control], check=False).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start on {self.name}")
            time.sleep(0.02)
        return process

    def _start(self, command: list[str], environment: dict[str, str] | None = None, output: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """A process that ends with this one, even if that is killed."""
        # Ctrl-C is for the runner alone, which then ends them in order: hence the session.
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], env=environment, start_new_session=True, text=True,
                                   stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        self._processes.append(process)
        return process


class ModuleRun:
    """A module that is being executed."""

    def __init__(self, what: str, process: subprocess.Popen[str]) -> None:
        self._what, self._process = what, process

    def result(self) -> dict[str, Any]:
        """What it returns. Raises ModuleFailed."""
        output, errors = self._process.communicate(timeout=120)
        try:
            result: dict[str, Any] = json.loads(output)
        except ValueError:
            raise ModuleFailed(f"{self._what}: {output}{errors}") from None
        if result.get("failed"):
            raise ModuleFailed(f"{self._what}: {result.get('msg')}")
        return result
