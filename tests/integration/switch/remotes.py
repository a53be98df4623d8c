# SPDX-License-Identifier: Apache-2.0
"""Real servers that stand between a client and a database: an ovsdb-server with TLS, and a private sshd."""
from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from ovs_sandbox import READY_SECONDS, OvsSandbox

from sluice.ovs.tls import TlsFiles


class Pki:
    """What ovs-pki makes: two CAs, with a server's certificate of one and a client's of the other, as OVS's manual recommends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ca = directory / "pki"  # made by ovs-pki, which wants it not to be there
        self._make("init")
        self._make("req+sign", "server", "switch")
        self._make("req+sign", "ansible", "controller")
        self._make("req+sign", "stranger", "switch")

    @property
    def server_ca(self) -> str:
        return str(self._ca / "switchca" / "cacert.pem")

    @property
    def client_ca(self) -> str:
        return str(self._ca / "controllerca" / "cacert.pem")

    def files(self, name: str, ca_cert: str) -> TlsFiles:
        return TlsFiles(str(self._directory / f"{name}-privkey.pem"), str(self._directory / f"{name}-cert.pem"), ca_cert)

    @property
    def client(self) -> TlsFiles:
        """What makes a client that the server accepts and that accepts the server."""
        return self.files("ansible", self.server_ca)

    def _make(self, *arguments: str) -> None:
        subprocess.run(["ovs-pki", f"--dir={self._ca}", f"--log={self._directory}/log", "--batch", *arguments],
                       cwd=self._directory, check=True, capture_output=True)


class RemoteOvs(OvsSandbox):
    """A private Open vSwitch whose ovsdb-server takes its certificates from the database, as ovs-ctl starts it."""

    ovsdb_options = (
        "--private-key=db:Open_vSwitch,SSL,private_key", "--certificate=db:Open_vSwitch,SSL,certificate", "--ca-cert=db:Open_vSwitch,SSL,ca_cert")

    def listen(self, method: str = "ptcp", host: str = "127.0.0.1", probe_ms: int = 5000) -> int:
        """Listen with a manager of its own; gives the port that the kernel chose."""
        self.vsctl("set-manager", f"{method}:0:{host}", "--", "set", "Manager", ".", f"inactivity_probe={probe_ms}")
        deadline = time.monotonic() + READY_SECONDS
        while not (port := self.vsctl("--if-exists", "get", "Manager", ".", "status:bound_port").strip().strip('"')):
            assert time.monotonic() < deadline, self.log("ovsdb-server")
            time.sleep(0.02)
        return int(port)

    def listen_tls(self, pki: Pki, host: str = "127.0.0.1", probe_ms: int = 5000) -> int:
        """As `listen`, with the certificates of the server."""
        server = pki.files("server", pki.client_ca)
        self.vsctl("set-ssl", server.private_key, server.certificate, server.ca_cert)
        return self.listen("pssl", host, probe_ms)


class SshServer:
    """A real sshd on a loopback port, whose users can run nothing: it only forwards.

    It has namespaces of its own: one of mounts, in which root has the password `password` and /run/sshd exists, and one of
    processes, which all end with the first.
    """

    password = "only in this namespace"

    def __init__(self, openvswitch: Path | None = None, **options: str) -> None:
        """With ``openvswitch``, that folder is /run/openvswitch for the users of this server."""
        self.directory = Path(tempfile.mkdtemp(prefix="sluice-sshd-"))
        for name in ("host_key", "user_key", "locked_key", "other_key"):
            phrase = "open sesame" if name == "locked_key" else ""
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", phrase, "-C", name, "-f", str(self.directory / name)], check=True)
        (self.directory / "authorized_keys").write_text(
            f"restrict,port-forwarding {self.read('user_key.pub')}{self.read('locked_key.pub')}")
        self.port = _free_port()
        self._process = self._start(openvswitch, {
            "Port": str(self.port), "ListenAddress": "127.0.0.1", "HostKey": f"{self.directory}/host_key", "PidFile": "none",
            "AuthorizedKeysFile": f"{self.directory}/authorized_keys", "StrictModes": "no", "UsePAM": "no", "PermitRootLogin": "yes",
            # Were anything run on the target, it would fail.
            "ForceCommand": "/bin/false", "SetEnv": "PATH=/nonexistent", **options})

    def __enter__(self) -> SshServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        shutil.rmtree(self.directory)

    def end(self) -> None:
        """The server and its connections, which have processes of their own, are gone at once."""
        self._process.kill()
        self._process.wait(READY_SECONDS)

    def read(self, name: str) -> str:
        return (self.directory / name).read_text()

    @property
    def target(self) -> dict[str, object]:
        """The option `target` of a module that is right."""
        return {"host": "127.0.0.1", "port": self.port, "user": "root", "private_key_file": str(self.directory / "user_key"),
                "host_key": self.read("host_key.pub").strip()}

    def _start(self, openvswitch: Path | None, options: Mapping[str, str]) -> subprocess.Popen[bytes]:
        config = self.directory / "sshd_config"
        config.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        secret = subprocess.run(["openssl", "passwd", "-6", self.password], check=True, capture_output=True, text=True).stdout.strip()
        lines = Path("/etc/shadow").read_text().splitlines()
        shadow = self.directory / "shadow"
        shadow.write_text("".join(f"root:{secret}:{line.split(':', 2)[2]}\n" if line.startswith("root:") else f"{line}\n" for line in lines))
        shadow.chmod(0o600)
        shared = f"mkdir /run/openvswitch && mount --bind {openvswitch} /run/openvswitch &&" if openvswitch else ""
        script = (f"mount --bind {shadow} /etc/shadow && mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && {shared} "
                  f"exec /usr/sbin/sshd -D -e -f {config}")
        with (self.directory / "log").open("wb") as log:
            process = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script],
                                       stdin=subprocess.DEVNULL, stderr=log)
        deadline = time.monotonic() + READY_SECONDS
        while "Server listening" not in self.read("log"):
            assert process.poll() is None and time.monotonic() < deadline, self.read("log")
            time.sleep(0.01)
        return process


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
