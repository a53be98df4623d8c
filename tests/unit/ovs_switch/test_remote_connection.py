# SPDX-License-Identifier: Apache-2.0
"""What an OVSDB connection makes of the bytes that it gets, however they are cut, and of the text and options that say where it goes."""
from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice.errors import SluiceError
from sluice.ovs import ovsdb
from sluice.ovs.ovsdb import Connection
from sluice.ovs.remote import Address, Remote, open_stream, parse_address
from sluice.ovs.remote_options import REMOTE_OPTIONS, remote_from
from sluice.ovs.tls import TlsFiles

SELECT = [{"op": "select", "table": "Port", "where": [], "columns": ["name"]}]
ROWS = [{"name": "brace } and quote \" and snowman ☃"}]
REPLY = json.dumps({"id": 1, "error": None, "result": [{"rows": ROWS}]}, ensure_ascii=False).encode()
ECHO = json.dumps({"id": "echo", "method": "echo", "params": []}).encode()
UPDATE = json.dumps({"id": None, "method": "update", "params": [None, {}]}).encode()

Connect = Callable[..., Connection]


class Script:
    """A stream that gives what it was told to, and ends."""

    def __init__(self, *parts: bytes) -> None:
        self.parts: Iterator[bytes] = iter(parts)
        self.sent: list[Any] = []

    def recv(self, _size: int) -> bytes:
        return next(self.parts, b"")

    def sendall(self, data: bytes) -> None:
        self.sent.append(json.loads(data))

    def settimeout(self, _seconds: float) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    def connected(stream: Script) -> Connection:
        monkeypatch.setattr(ovsdb, "open_stream", lambda _remote: stream)
        return Connection("unix:/script")
    return connected


def test_reads_a_reply_wherever_it_is_cut(connect: Connect) -> None:
    for cut in range(1, len(REPLY)):
        assert connect(Script(REPLY[:cut], REPLY[cut:])).transact(SELECT) == [{"rows": ROWS}], cut
    assert connect(Script(*(bytes([byte]) for byte in REPLY))).transact(SELECT) == [{"rows": ROWS}]


def test_answers_the_servers_keep_alive_before_amid_and_after_a_reply(connect: Connect) -> None:
    whole = ECHO + UPDATE + REPLY
    for cut in range(1, len(whole)):
        stream = Script(whole[:cut], whole[cut:])
        assert connect(stream).transact(SELECT) == [{"rows": ROWS}], cut
        assert stream.sent[1] == {"id": "echo", "error": None, "result": []}


def test_says_what_it_means_that_the_server_went_away(connect: Connect) -> None:
    for end in range(len(REPLY)):
        with pytest.raises(SluiceError, match=r"lost the connection to ovsdb-server at unix:/script: it closed.*done whole or not at all"):
            connect(Script(REPLY[:end])).transact(SELECT)


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x16}"])
def test_says_that_a_server_is_of_something_else(connect: Connect, greeting: bytes) -> None:
    with pytest.raises(SluiceError, match="what listens at unix:/script does not speak OVSDB"):
        connect(Script(greeting)).transact(SELECT)


@pytest.mark.parametrize(("database", "address"), [
    ("unix:/run/db.sock", ("unix", "/run/db.sock", 0)),
    ("tcp:node1:6640", ("tcp", "node1", 6640)),
    ("ssl:10.0.0.1:6640", ("ssl", "10.0.0.1", 6640)),
    ("tcp:[fe80::1%eth0]:6640", ("tcp", "fe80::1%eth0", 6640)),
    ("ssl:[::1]:65535", ("ssl", "::1", 65535))])
def test_understands_where_a_database_is(database: str, address: Address) -> None:
    assert parse_address(database) == address


@pytest.mark.parametrize("database", ["", "/run/db.sock", "unix:", "tcp:node1", "tcp::6640", "tcp:node1:", "tcp:node1:0", "tcp:node1:65536",
                                      "tcp:::1:6640", "tcp:[::1]", "ssl:[]:6640", "punix:/run/db.sock", "ptcp:6640", "TCP:node1:6640"])
def test_refuses_any_other_text(database: str) -> None:
    with pytest.raises(SluiceError, match=r"expected unix:PATH or tcp:HOST:PORT or ssl:HOST:PORT, with an IPv6 address in brackets"):
        parse_address(database)


def params(**given: Any) -> dict[str, Any]:
    return {name: given.get(name, option.get("default")) for name, option in REMOTE_OPTIONS.items()}


def test_options_say_the_remote() -> None:
    assert remote_from(params()) == Remote("unix:/var/run/openvswitch/db.sock")
    files = {"private_key": "k", "certificate": "c", "ca_cert": "ca"}
    assert remote_from(params(database="ssl:h:1", **files)) == Remote("ssl:h:1", TlsFiles(**files))
    assert remote_from(params(database="tcp:h:1", **files)) == Remote("tcp:h:1")
    with pytest.raises(SluiceError, match=r"needs private_key, certificate, ca_cert; there is no private_key and no ca_cert"):
        remote_from(params(database="ssl:h:1", certificate="c"))


def test_secrets_of_a_target_are_not_printed() -> None:
    secret = {"password": "hunter2", "private_key_passphrase": "hunter2"}
    remote = remote_from(params(target={"host": "node1", **secret}))
    assert remote.target
    assert remote.target.password == "hunter2"
    assert "hunter2" not in f"{remote!r} {remote}"
    assert str(remote) == "unix:/var/run/openvswitch/db.sock of node1"
    assert all(REMOTE_OPTIONS["target"]["options"][name]["no_log"] for name in secret)


@pytest.mark.parametrize("option", TlsFiles._fields)
def test_names_the_file_that_cannot_be_used(tmp_path: Path, option: str) -> None:
    key, certificate, garbage = (tmp_path / name for name in ("key.pem", "cert.pem", "garbage.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=ca", "-days", "1",
                    "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    garbage.write_text("not PEM\n")
    right = TlsFiles(str(key), str(certificate), str(certificate))
    for path, says in ((tmp_path / "none.pem", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(SluiceError, match=f"^cannot read {option} {path}: {says}$"):
            open_stream(Remote("ssl:127.0.0.1:1", right._replace(**{option: str(path)})))
    with pytest.raises(SluiceError, match=f"{option} {garbage}.* PEM$"):
        open_stream(Remote("ssl:127.0.0.1:1", right._replace(**{option: str(garbage)})))


def test_refuses_a_private_key_that_openssl_would_ask_a_passphrase_for(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-passout", "pass:secret", "-subj", "/CN=x",
                    "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    with pytest.raises(SluiceError, match=r"are not a private key without a passphrase and a certificate, in PEM$"):
        open_stream(Remote("ssl:127.0.0.1:1", TlsFiles(str(key), str(certificate), str(certificate))))


def test_the_way_to_a_local_socket_imports_neither_tls_nor_ssh() -> None:
    script = ("import sys; from sluice.ovs import ovsdb, remote, remote_options; "
              "remote_options.remote_from({'database': remote.DEFAULT_REMOTE, 'target': None}); "
              "print(*{'ssl', 'paramiko', 'logging', 'hashlib', 'pathlib'} & set(sys.modules))")
    source = Path(__file__).parents[3] / "src"
    done = subprocess.run([sys.executable, "-S", "-c", script], env={"PYTHONPATH": str(source)}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
