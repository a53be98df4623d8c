# SPDX-License-Identifier: Apache-2.0
"""Databases that are not behind a local Unix socket: TLS with real certificates, and a real sshd that forwards and can run nothing."""
from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from remotes import Pki, RemoteOvs, SshServer
from switch_engine import ports_of

from documents import blocks
from sluice.errors import SluiceError
from sluice.ovs import remote as remote_module
from sluice.ovs.ovsdb import Connection, NotInstalled
from sluice.ovs.remote import Remote
from sluice.ovs.ssh_target import Target

ROOT = Path(__file__).parents[3]
NAMES = [{"op": "select", "table": "Bridge", "where": [], "columns": ["name"]}]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def ovs() -> Iterator[RemoteOvs]:
    sandbox = RemoteOvs()
    with sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def sshd() -> Iterator[SshServer]:
    with SshServer() as server:
        yield server


def bridges(remote: Remote) -> list[str]:
    with Connection(remote) as connection:
        return sorted(row["name"] for row in connection.transact(NAMES)[0]["rows"])


def target(server: SshServer, **other: Any) -> Target:
    return Target(**{**server.target, **other})


def fails(remote: Remote) -> str:
    """With which words."""
    with pytest.raises(SluiceError) as caught:
        bridges(remote)
    assert not isinstance(caught.value, NotInstalled)
    return str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_tls_with_the_ca_that_is_pinned(ovs: RemoteOvs, pki: Pki, host: str) -> None:
    ovs.vsctl("add-br", "br0")
    assert bridges(Remote(f"ssl:{host}:{ovs.listen_tls(pki, host)}", pki.client)) == ["br0"]


def test_tls_trusts_only_the_ca_that_is_pinned(ovs: RemoteOvs, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = Remote(f"ssl:127.0.0.1:{ovs.listen_tls(pki)}", pki.client._replace(ca_cert=pki.client_ca))
    says = "is not one of the CA in ca_cert (unable to get local issuer certificate); give the CA that signed it"
    assert fails(remote) == f"the certificate of ovsdb-server at {remote.database} {says}"
    # Nor what the system trusts: OpenSSL would look there.
    monkeypatch.setenv("SSL_CERT_FILE", pki.server_ca)
    assert says in fails(remote)


@pytest.mark.parametrize("later", [0, 0.2])
def test_tls_says_that_the_server_refuses_the_certificate(ovs: RemoteOvs, pki: Pki, later: float) -> None:
    """In TLS 1.3 the client learns it after its handshake; by then the server may be gone, so that nothing can be sent."""
    remote = Remote(f"ssl:127.0.0.1:{ovs.listen_tls(pki)}", pki.files("stranger", pki.server_ca))
    with Connection(remote) as connection:
        time.sleep(later)
        with pytest.raises(SluiceError) as caught:
            connection.transact(NAMES)
    assert str(caught.value) == (f"ovsdb-server at {remote.database} refused the client's certificate (tlsv1 alert unknown ca): "
                                 "it has to be signed by the CA that the server was given")


def test_tls_files_that_do_not_belong_together(pki: Pki) -> None:
    mixed = pki.client._replace(private_key=pki.files("stranger", "").private_key)
    assert fails(Remote("ssl:127.0.0.1:1", mixed)) == f"private_key {mixed.private_key} and certificate {mixed.certificate} do not belong together"


def test_tls_to_what_is_no_tls(ovs: RemoteOvs, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Remote(f"ssl:127.0.0.1:{ovs.listen()}", pki.client)
    assert fails(plain) == f"what listens at {plain.database} does not speak TLS 1.2 or newer (unexpected eof while reading): is it a plain TCP port?"
    monkeypatch.setattr(remote_module, "REPLY_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = Remote(f"ssl:127.0.0.1:{silent.getsockname()[1]}", pki.client)
        assert fails(mute) == f"what listens at {mute.database} did not answer in TLS in time: does it speak plain TCP?"
    assert fails(mute) == f"cannot connect to ovsdb-server at {mute.database}: Connection refused"


def test_plain_tcp_to_tls(ovs: RemoteOvs, pki: Pki) -> None:
    assert "it closed the connection" in fails(Remote(f"tcp:127.0.0.1:{ovs.listen_tls(pki)}"))


def slowly_configured(ovs: RemoteOvs, remote: Remote) -> None:
    """Waits in vain for the daemon, for longer than the server lets a client be silent, and is still connected then."""
    ovs.pause("ovs-vswitchd")
    with Connection(remote) as connection:
        began = time.monotonic()
        assert not connection.wait_configured(1 << 40, 2.5)
        assert time.monotonic() - began >= 2.5
        assert connection.transact(NAMES) == [{"rows": []}]
        assert not connection.wait_configured(1 << 40, 0)
    ovs.resume("ovs-vswitchd")


@pytest.mark.parametrize("way", ["tcp", "ssl", "tcp through ssh", "ssl through ssh"])
def test_waits_and_answers_the_servers_keep_alive(ovs: RemoteOvs, pki: Pki, sshd: SshServer, way: str) -> None:
    port = ovs.listen_tls(pki, probe_ms=1000) if way.startswith("ssl") else ovs.listen(probe_ms=1000)
    slowly_configured(ovs, Remote(f"{way[:3]}:127.0.0.1:{port}", pki.client, target(sshd) if "ssh" in way else None))


@pytest.mark.parametrize("way", ["unix", "tcp", "ssl", "unix through ssh", "ssl through ssh"])
def test_a_very_large_reply(ovs: RemoteOvs, pki: Pki, sshd: SshServer, way: str) -> None:
    databases = {"unix": lambda: ovs.database, "tcp": lambda: f"tcp:127.0.0.1:{ovs.listen()}", "ssl": lambda: f"ssl:127.0.0.1:{ovs.listen_tls(pki)}"}
    # Braces, so that many pieces look as if they were the end.
    notes = [f"{{{number}}} " * 2000 for number in range(400)]
    rows = [{"op": "insert", "table": "QoS", "row": {"type": "linux-noop", "external_ids": ["map", [["note", note]]]}} for note in notes]
    read_back = {"op": "select", "table": "QoS", "where": [], "columns": ["external_ids"]}
    with Connection(Remote(databases[way.split()[0]](), pki.client, target(sshd) if "ssh" in way else None)) as connection:
        result = connection.transact([*rows, read_back])[-1]["rows"]
        assert sorted(row["external_ids"][1][0][1] for row in result) == sorted(notes)


@pytest.mark.parametrize("way", ["unix", "ssl", "unix through ssh"])
def test_the_server_ends_in_the_middle(ovs: RemoteOvs, pki: Pki, sshd: SshServer, way: str) -> None:
    database = f"ssl:127.0.0.1:{ovs.listen_tls(pki)}" if way == "ssl" else ovs.database
    remote = Remote(database, pki.client, target(sshd) if "ssh" in way else None)
    with Connection(remote) as connection:
        ovs.pause("ovsdb-server")
        threading.Timer(0.3, ovs.kill, ["ovsdb-server"]).start()
        with pytest.raises(SluiceError) as caught:
            connection.transact(NAMES)
    assert str(caught.value).startswith(f"lost the connection to ovsdb-server at {remote}: ")
    assert str(caught.value).endswith("What was under way is done whole or not at all: run again to find out")


def test_the_ssh_server_ends_in_the_middle(ovs: RemoteOvs) -> None:
    with SshServer() as server:
        remote = Remote(ovs.database, target=target(server))
        with Connection(remote) as connection:
            server.end()
            with pytest.raises(SluiceError, match=f"^lost the connection to ovsdb-server at {ovs.database} of 127.0.0.1: "):
                connection.transact(NAMES)


def test_forwards_to_every_kind_of_socket(ovs: RemoteOvs, pki: Pki, sshd: SshServer) -> None:
    ovs.vsctl("add-br", "br0")
    assert bridges(Remote(ovs.database, target=target(sshd))) == ["br0"]
    assert bridges(Remote(f"tcp:127.0.0.1:{ovs.listen()}", target=target(sshd))) == ["br0"]
    assert bridges(Remote(f"ssl:127.0.0.1:{ovs.listen_tls(pki)}", pki.client, target(sshd))) == ["br0"]


def test_logs_in_with_what_it_is_given(ovs: RemoteOvs, sshd: SshServer) -> None:
    locked = str(sshd.directory / "locked_key")
    for right in ({"private_key_file": None, "password": sshd.password}, {"private_key_file": locked, "private_key_passphrase": "open sesame"}):
        assert bridges(Remote(ovs.database, target=target(sshd, **right))) == []
    for wrong, says in (
            ({"private_key_file": None, "password": "wrong"}, f"cannot log in by SSH as root at 127.0.0.1 port {sshd.port}: Authentication failed."),
            ({"private_key_file": str(sshd.directory / "other_key")}, "Authentication failed."),
            ({"private_key_file": "/nonexistent"}, "cannot read target.private_key_file /nonexistent: No such file or directory"),
            ({"private_key_file": locked}, "or it needs a target.private_key_passphrase"),
            ({"private_key_file": locked, "private_key_passphrase": "wrong"}, "or target.private_key_passphrase is not its passphrase"),
            ({"port": 1}, "cannot log in by SSH as root at 127.0.0.1 port 1: Unable to connect to port 1 on 127.0.0.1")):
        assert says in fails(Remote(ovs.database, target=target(sshd, **wrong)))


def test_believes_only_a_host_key_that_is_known(ovs: RemoteOvs, sshd: SshServer, tmp_path: Path) -> None:
    def known(*lines: str) -> Remote:
        file = tmp_path / "known_hosts"
        file.write_text("".join(f"{line}\n" for line in lines))
        return Remote(ovs.database, target=target(sshd, host_key=None, known_hosts=str(file)))

    name, right, wrong = f"[127.0.0.1]:{sshd.port}", sshd.read("host_key.pub").strip(), sshd.read("other_key.pub").strip()
    print_of = subprocess.run(["ssh-keygen", "-lf", str(sshd.directory / "host_key.pub")], check=True, capture_output=True, text=True).stdout.split()[1]
    assert f"found ssh-ed25519 {print_of}. Somebody may be in between" in fails(Remote(ovs.database, target=target(sshd, host_key=wrong)))
    assert "expected a type and a key" in fails(Remote(ovs.database, target=target(sshd, host_key="ssh-ed25519 nonsense")))

    assert bridges(known("# a comment", "", "@cert-authority *.example.com ssh-rsa AAAA", "damaged", f"{name} ssh-rsa damaged=", f"other,{name} {right}")) == []
    unknown = f"the host key of {name} is not known: it has ssh-ed25519 {print_of}. If that is right, give it as target.host_key"
    assert "Somebody may be in between" in fails(known(f"{name} {wrong}"))
    assert unknown in fails(known(f"127.0.0.1 {right}"))
    assert unknown in fails(known(f"@revoked * {right}", f"{name} {right}"))
    hashed = known(f"{name} {right}")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(tmp_path / "known_hosts")], check=True, capture_output=True)
    assert name not in (tmp_path / "known_hosts").read_text()
    assert bridges(hashed) == []
    assert fails(hashed._replace(target=target(sshd, host_key=None, known_hosts="/nonexistent"))) == (
        "cannot read the known hosts in /nonexistent: No such file or directory")


def test_without_either_ssh_says_which_hosts_are_known(ovs: RemoteOvs, sshd: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    remote = Remote(ovs.database, target=target(sshd, host_key=None))
    assert "is not known: it has" in fails(remote)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {sshd.read('host_key.pub')}")
    assert bridges(remote) == []


@pytest.mark.parametrize("setting", ["AllowTcpForwarding", "DisableForwarding"])
def test_says_that_sshd_forbids_forwarding(ovs: RemoteOvs, setting: str) -> None:
    port = ovs.listen()
    with SshServer(None, **{setting: "yes" if setting.startswith("Disable") else "no"}) as server:
        assert fails(Remote(ovs.database, target=target(server))) == (
            f"sshd of 127.0.0.1 forbids forwarding to {ovs.directory}/db.sock: see AllowStreamLocalForwarding and AllowTcpForwarding (both are needed), "
            "PermitOpen and DisableForwarding in its sshd_config, and restrict in authorized_keys")
        assert fails(Remote(f"tcp:127.0.0.1:{port}", target=target(server))) == (
            f"sshd of 127.0.0.1 forbids forwarding to 127.0.0.1 port {port}: see AllowTcpForwarding, PermitOpen and DisableForwarding in its "
            "sshd_config, and restrict in authorized_keys")


def test_says_what_may_be_when_sshd_does_not(ovs: RemoteOvs, sshd: SshServer) -> None:
    """sshd gives one answer to both."""
    says = "either Open vSwitch is not installed or does not run there, or root may not open the socket"
    assert says in fails(Remote("unix:/nonexistent", target=target(sshd)))
    with SshServer(AllowStreamLocalForwarding="no") as server:
        text = fails(Remote(ovs.database, target=target(server)))
        assert says in text
        assert "'AllowStreamLocalForwarding no' (then sshd's log has 'refused streamlocal port forward')" in text
        assert "refused streamlocal port forward" in server.read("log")
    assert fails(Remote("tcp:127.0.0.1:1", target=target(sshd))) == (
        "the SSH server of 127.0.0.1 cannot connect to 127.0.0.1 port 1: does ovsdb-server listen there (ovs-vsctl get-manager)?")


def test_says_which_package_is_missing(sshd: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paramiko", None)
    says = fails(Remote(target=target(sshd)))
    assert says.startswith(f"the option target needs the Python package paramiko, which {sys.executable} has not (")
    assert says.endswith("install it, or set ansible_python_interpreter of localhost to a Python that has it")


def ansible_playbook(folder: Path, book: str, variables: dict[str, Any]) -> str:
    """What was printed of a run for a host on which nothing can be run: as a rule, its port is not even one of an SSH server."""
    (folder / "play.yml").write_text(book)
    host = {"ansible_host": "127.0.0.1", "ansible_port": 1, **variables}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"switches": {"hosts": {"switch1": host}}}))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(folder / "hosts.yml"), "-vvv", "--diff", str(folder / "play.yml")],
        cwd=ROOT, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def play(folder: Path, options: dict[str, Any], *tasks: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """What each task gave, and all that was printed."""
    found = folder / "results.json"
    named = [{"name": f"Task {number}", "delegate_to": "localhost", "ignore_errors": True, "register": f"result_{number}", **task}
             for number, task in enumerate(tasks)]
    keep = {"name": "Keep the results", "delegate_to": "localhost", "ansible.builtin.copy": {
        "dest": str(found), "mode": "0600", "content": f"{{{{ [{', '.join(task['register'] for task in named)}] | to_json }}}}"}}
    printed = ansible_playbook(folder, yaml.safe_dump([{
        "hosts": "switches", "gather_facts": False, "tasks": [*named, keep],
        "module_defaults": {"sluice.fabric.switch": options, "sluice.fabric.switch_info": options}}]), {})
    return json.loads(found.read_text()), printed


def test_a_playbook_configures_a_host_that_can_run_nothing(ovs: RemoteOvs, sshd: SshServer, tmp_path: Path) -> None:
    config = ports_of("br0", "p1", tag=5)
    want = {"sluice.fabric.switch": {"config": config, "state": "overridden"}}
    by_password = {**sshd.target, "private_key_file": None, "password": sshd.password}
    other_key = {**sshd.target, "host_key": sshd.read("other_key.pub").strip()}
    results, printed = play(
        tmp_path, {"database": ovs.database, "target": by_password}, {**want, "check_mode": True}, want, want, {"sluice.fabric.switch_info": {}},
        {"sluice.fabric.switch": {"config": {"bridges": [{"name": "br0", "fail_mode": "secure"}]}, "target": other_key}},
        {"sluice.fabric.switch": {"config": {}, "database": "unix:/nonexistent"}, "check_mode": True})
    predicted, done, again, found, refused, absent = results
    assert (predicted["changed"], done["changed"], again["changed"]) == (True, True, False)
    assert predicted["plan"] == done["plan"]
    assert "+        tag: 5" in printed
    assert ovs.vsctl("get", "Port", "p1", "tag").strip() == "5"
    assert found["interfaces"]["p1"]["ofport"] == 1
    assert refused["failed"] and "Somebody may be in between" in refused["msg"]
    assert absent["failed"] and "sshd of 127.0.0.1 did not connect to /nonexistent" in absent["msg"]
    assert ovs.vsctl("get", "Bridge", "br0", "fail_mode").strip() == "[]"
    assert sshd.password not in printed


def test_a_playbook_configures_over_tls(ovs: RemoteOvs, pki: Pki, tmp_path: Path) -> None:
    options = {"database": f"ssl:127.0.0.1:{ovs.listen_tls(pki)}", **pki.client._asdict()}
    (done, again, found, lacking), _printed = play(
        tmp_path, options, *[{"sluice.fabric.switch": {"config": ports_of("br0", "p1")}}] * 2, {"sluice.fabric.switch_info": {}},
        {"sluice.fabric.switch_info": {"ca_cert": None}})
    assert (done["changed"], again["changed"], ovs.vsctl("list-ports", "br0").split()) == (True, False, ["p1"])
    assert found["interfaces"]["p1"]["ofport"] == 1
    assert lacking["msg"] == f"database {options['database']} needs private_key, certificate, ca_cert; there is no ca_cert"


def test_the_page_of_the_documentation_runs_as_printed(ovs: RemoteOvs, pki: Pki, tmp_path: Path) -> None:
    through_ssh, by_tls = [block.text for block in blocks(ROOT / "docs/remote-switch.md") if block.language == "yaml"]
    with SshServer(openvswitch=ovs.directory) as server:
        ansible_playbook(tmp_path, through_ssh, {
            "ansible_port": server.port, "switch_key": str(server.directory / "user_key"), "switch_host_key": server.read("host_key.pub").strip()})
    assert ovs.vsctl("get", "Port", "web1", "tag").strip() == "20"
    for name, file in zip(("ansible-privkey.pem", "ansible-cert.pem", "switchca.pem"), pki.client):
        (tmp_path / name).symlink_to(file)
    ansible_playbook(tmp_path, by_tls, {"ovsdb_port": ovs.listen_tls(pki), "pki": str(tmp_path)})
    assert ovs.vsctl("get", "Bridge", "br0", "fail_mode").strip() == "secure"
