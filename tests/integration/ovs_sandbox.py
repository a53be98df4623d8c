# SPDX-License-Identifier: Apache-2.0
"""A private Open vSwitch: its own ovsdb-server, ovs-vswitchd, sockets and network namespace, gone without a trace afterwards."""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Sequence

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
READY_SECONDS = 20.0


class OvsSandbox:
    """Real daemons with ``OVS_RUNDIR`` etc. in one short-lived directory.

    ovs-vswitchd runs in a network namespace of its own (``netns``), so that the taps which ``datapath_type=netdev`` makes
    never meet the host's interfaces or another test's. ``datapath_type=dummy`` works as well and makes no device at all.
    """

    ovsdb_in_netns = False
    """Whether what ovsdb-server listens on, or connects to, is in ``netns``, too."""
    ovsdb_options: tuple[str, ...] = ()
    dummies: tuple[str, ...] = ("--enable-dummy", "--disable-system")

    def __init__(self) -> None:
        # Not under tmp_path: a Unix socket's path may have 107 bytes, and pytest's directories use up most of them.
        self.directory = Path(tempfile.mkdtemp(prefix="sluice-ovs-"))
        self.netns = self.directory.name
        self.database = f"unix:{self.directory}/db.sock"
        self.env = dict(os.environ, **{f"OVS_{kind}DIR": str(self.directory) for kind in ("RUN", "LOG", "DB", "SYSCONF")})
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        _run(["ip", "netns", "add", self.netns])
        _run(["ovsdb-tool", "create", str(self.directory / "conf.db"), SCHEMA])

    def __enter__(self) -> OvsSandbox:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.destroy()

    def start(self) -> None:
        """Both daemons, ready to serve."""
        self.start_ovsdb()
        self.vsctl("--no-wait", "init")
        self.start_vswitchd()

    def start_ovsdb(self) -> None:
        command = [
            "ovsdb-server", str(self.directory / "conf.db"), f"--remote=punix:{self.directory}/db.sock",
            "--remote=db:Open_vSwitch,Open_vSwitch,manager_options", *self.ovsdb_options]
        self._start("ovsdb-server", self._inside(command) if self.ovsdb_in_netns else command)

    def start_vswitchd(self) -> None:
        self._start("ovs-vswitchd", self._inside(["ovs-vswitchd", self.database, *self.dummies]))

    def kill(self, daemon: str, signum: int = signal.SIGKILL) -> None:
        """End ``ovsdb-server`` or ``ovs-vswitchd`` at once, as a crash does, and wait until it is gone."""
        process = self._daemons.pop(daemon)
        process.send_signal(signum)
        process.wait(READY_SECONDS)

    def pause(self, daemon: str) -> None:
        """The daemon lives but does nothing, until :meth:`resume`."""
        self._daemons[daemon].send_signal(signal.SIGSTOP)

    def resume(self, daemon: str) -> None:
        self._daemons[daemon].send_signal(signal.SIGCONT)

    def pid(self, daemon: str) -> int:
        return self._daemons[daemon].pid

    def stop(self) -> None:
        """Both daemons ended; the database file stays, so :meth:`start_ovsdb` goes on from it."""
        for daemon in ("ovs-vswitchd", "ovsdb-server"):
            if daemon in self._daemons:
                self.resume(daemon)
                self.kill(daemon, signal.SIGTERM)

    def destroy(self) -> None:
        try:
            self.stop()
        finally:
            subprocess.run(["ip", "netns", "delete", self.netns], check=False)
            shutil.rmtree(self.directory, ignore_errors=True)

    def vsctl(self, *arguments: str, timeout: int = 10) -> str:
        return self._tool("ovs-vsctl", f"--db={self.database}", f"--timeout={timeout}", *arguments)

    def ofctl(self, *arguments: str, version: str = "OpenFlow15") -> str:
        """ovs-ofctl; a bridge is named as usual (its management socket is found in the sandbox's run directory)."""
        return self._tool("ovs-ofctl", "-O", version, *arguments)

    def appctl(self, *arguments: str, daemon: str = "ovs-vswitchd") -> str:
        return self._tool("ovs-appctl", "-t", str(self.directory / f"{daemon}.ctl"), *arguments)

    def in_netns(self, *command: str) -> str:
        """Run a command where the datapath's devices are."""
        return self._tool(*self._inside(command))

    def log(self, daemon: str) -> str:
        return (self.directory / f"{daemon}.log").read_text(errors="replace")

    def _inside(self, command: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.netns, *command]

    def _tool(self, *command: str) -> str:
        result = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=60, check=False)
        if result.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {result.returncode}: {result.stderr.strip()}")
        return result.stdout

    def _start(self, daemon: str, command: list[str]) -> None:
        control = self.directory / f"{daemon}.ctl"
        control.unlink(missing_ok=True)
        process = subprocess.Popen(
            [*command, f"--unixctl={control}", f"--log-file={self.directory}/{daemon}.log", "--verbose=console:off"],
            env=self.env, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._daemons[daemon] = process
        deadline = time.monotonic() + READY_SECONDS
        while not control.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{daemon} did not start: {self.log(daemon)}")
            time.sleep(0.005)


class AnyDevice(OvsSandbox):
    """An Open vSwitch to which one need not say that it is private: its system datapath and devices are dummies that any name has."""

    ovsdb_in_netns = True
    dummies = ("--enable-dummy=system",)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
