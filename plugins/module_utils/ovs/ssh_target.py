# SPDX-License-Identifier: Apache-2.0
"""A stream to a Unix or TCP socket of another host, forwarded by its SSH server: nothing of ours runs there, and no Python is needed.

Runs on the controller, the only place that has paramiko, which is imported here alone and only when a target is given.
"""
from __future__ import annotations

import base64
import getpass
import hashlib
import logging
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Iterable, Iterator, NamedTuple, Optional, Tuple

from ..errors import SluiceError
from .remote import Address

PARAMIKO = (3, 4)
KNOWN_HOSTS = (Path("~/.ssh/known_hosts"), Path("/etc/ssh/ssh_known_hosts"))
"""Where ssh looks."""

_CHANNEL_OPEN = b"\x5a"
"""RFC 4254 section 9."""
_STREAMLOCAL = "direct-streamlocal@openssh.com"
_PROHIBITED, _UNKNOWN_TYPE = 1, 3
"""Why a channel was not opened (RFC 4254 section 5.1)."""


class Target(NamedTuple):
    """A host that is reached through SSH, and on which the database's address is to be seen."""

    host: str
    port: int = 22
    user: Optional[str] = None
    password: Optional[str] = None
    private_key_file: Optional[str] = None
    private_key_passphrase: Optional[str] = None
    known_hosts: Optional[str] = None
    host_key: Optional[str] = None
    timeout: float = 10.0

    def __repr__(self) -> str:
        return f"Target({self.host}:{self.port})"  # no secrets, wherever it is printed


class ForwardedStream:
    """A channel, and the SSH connection that it alone uses."""

    def __init__(self, client: Any, channel: Any) -> None:
        self._client = client
        self._channel = channel

    def settimeout(self, seconds: float) -> None:
        """As of a socket."""
        self._channel.settimeout(seconds)

    def recv(self, size: int) -> bytes:
        """As of a socket."""
        return bytes(self._channel.recv(size))

    def sendall(self, data: bytes) -> None:
        """As of a socket."""
        self._channel.sendall(data)

    def close(self) -> None:
        """End the SSH connection, too."""
        self._client.close()


def forwarded_stream(target: Target, address: Address) -> ForwardedStream:
    """A stream to the address as the target sees it; raises SluiceError.

    The target's host key must be known: there is no asking, and nothing is accepted at first sight.
    """
    paramiko = _paramiko()
    client = paramiko.SSHClient()
    try:
        _trust(paramiko, client, target)
        _log_in(paramiko, client, target)
        channel = _open_channel(paramiko, client.get_transport(), target, address)
        channel.settimeout(target.timeout)
    except BaseException:
        client.close()
        raise
    return ForwardedStream(client, channel)


def _paramiko() -> ModuleType:
    try:
        import paramiko
    except ImportError as error:
        raise SluiceError(f"the option target needs the Python package paramiko, which {sys.executable} has not ({error}): "
                          "install it, or set ansible_python_interpreter of localhost to a Python that has it") from None
    if tuple(map(int, paramiko.__version__.split(".")[:2])) < PARAMIKO:
        raise SluiceError(f"the option target needs paramiko {'.'.join(map(str, PARAMIKO))} or newer, and {sys.executable} has {paramiko.__version__}: "
                          "install it, or set ansible_python_interpreter of localhost to a Python that has it")
    # What it logs is raised as well, and would else be printed between the module's result.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    return paramiko  # type: ignore[no-any-return]


def _trust(paramiko: Any, client: Any, target: Target) -> None:
    """Tell the client which host keys to believe: the one that is given, else those of the files of known hosts."""
    if target.host_key:
        name = target.host if target.port == 22 else f"[{target.host}]:{target.port}"
        known = list(_known(paramiko, [f"{name} {target.host_key}"]))
        if not known:
            raise SluiceError("target.host_key is not a public key as in a file of known hosts: expected a type and a key, like 'ssh-ed25519 AAAA…'")
    else:
        files = [Path(target.known_hosts)] if target.known_hosts else [path for path in map(Path.expanduser, KNOWN_HOSTS) if path.exists()]
        try:
            known = list(_known(paramiko, [line for path in files for line in path.read_text(errors="replace").splitlines()]))
        except OSError as error:
            raise SluiceError(f"cannot read the known hosts in {error.filename}: {error.strerror}") from None
    for name, key in known:
        client.get_host_keys().add(name, key.get_name(), key)
    client.set_missing_host_key_policy(_Strict())


def _known(paramiko: Any, lines: Iterable[str]) -> Iterator[Tuple[str, Any]]:
    """Each name, which may be hashed, and its key, of lines in the format of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".

    paramiko's own reader gives up at a line with a marker. Here, what is revoked is not known, and CAs of host keys are passed over,
    as lines that are damaged are: a key that is not known is refused.
    """
    fields = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    revoked = {tuple(field[2:4]) for field in fields if field[0] == "@revoked"}
    for names, *key in (field[:3] for field in fields if len(field) > 2 and not field[0].startswith("@")):
        with suppress(paramiko.SSHException, paramiko.hostkeys.InvalidHostKey, ValueError):
            entry = paramiko.hostkeys.HostKeyEntry.from_line(" ".join([names, *key]))
            if entry and tuple(key) not in revoked:
                yield from ((name, entry.key) for name in entry.hostnames)


class _Strict:
    """The policy of paramiko for hosts whose key is not known."""

    def missing_host_key(self, _client: Any, name: str, key: Any) -> None:
        """Refuse, and say what it is that is not known."""
        raise SluiceError(
            f"the host key of {name} is not known: it has {_fingerprint(key)}. If that is right, give it as target.host_key, "
            "or put it into the file of known hosts")


def _fingerprint(key: Any) -> str:
    """As ssh-keygen prints it."""
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


def _log_in(paramiko: Any, client: Any, target: Target) -> None:
    # Where the task says how to log in, nothing else is tried: servers count every key of an agent as a failed attempt.
    said = bool(target.password or target.private_key_file)
    try:
        client.connect(
            target.host, target.port, _user(target), target.password, _private_key(paramiko, target), allow_agent=not said, look_for_keys=not said,
            timeout=target.timeout, banner_timeout=target.timeout, auth_timeout=target.timeout, channel_timeout=target.timeout)
    except paramiko.BadHostKeyException as error:
        raise SluiceError(
            f"the host key of {target.host} is not the one that is known: expected {_fingerprint(error.expected_key)}, found {_fingerprint(error.key)}. "
            "Somebody may be in between") from None
    except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SluiceError(f"cannot log in by SSH as {_user(target)} at {target.host} port {target.port}: {reason}") from None


def _user(target: Target) -> str:
    return target.user or getpass.getuser()


def _private_key(paramiko: Any, target: Target) -> Any:
    path, passphrase = target.private_key_file, target.private_key_passphrase
    if not path:
        return None
    try:
        return paramiko.PKey.from_path(path, passphrase.encode() if passphrase else None)
    except OSError as error:
        raise SluiceError(f"cannot read target.private_key_file {path}: {error.strerror}") from None
    except Exception:
        # What the library below paramiko raises comes through: TypeError without a passphrase, ValueError for a wrong one, and more.
        other = "target.private_key_passphrase is not its passphrase" if passphrase else "it needs a target.private_key_passphrase"
        raise SluiceError(f"cannot use target.private_key_file {path}: it is no RSA, ECDSA or Ed25519 private key, or {other}") from None


def _open_channel(paramiko: Any, transport: Any, target: Target, address: Address) -> Any:
    method, host, port = address
    try:
        if method == "unix":
            return _open_streamlocal(transport, host, target.timeout)
        return transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=target.timeout)
    except paramiko.ChannelException as error:
        raise SluiceError(_refusal(paramiko, transport, target, address, error.code)) from None
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise SluiceError(f"cannot forward to {host} through the SSH server of {target.host}: {error}") from None


def _open_streamlocal(transport: Any, path: str, timeout: float) -> Any:
    """A channel to a Unix socket: OpenSSH's PROTOCOL file, section 2.4.

    paramiko opens channels of any type, but puts what a type wants to know into the message only for those that it knows itself.
    So it is put there when the message passes by; every other message of this transport is left as it is.
    """
    send = transport._send_user_message

    def send_with_path(message: Any) -> None:
        if message.asbytes().startswith(_CHANNEL_OPEN):
            message.add_string(path)
            message.add_string("")
            message.add_int(0)
        send(message)

    transport._send_user_message = send_with_path
    try:
        return transport.open_channel(_STREAMLOCAL, timeout=timeout)
    finally:
        transport._send_user_message = send


def _refusal(paramiko: Any, transport: Any, target: Target, address: Address, code: int) -> str:
    """What it means that the channel was not opened, and what to do."""
    method, host, port = address
    if method != "unix":
        if code == _PROHIBITED:
            return (f"sshd of {target.host} forbids forwarding to {host} port {port}: see AllowTcpForwarding, PermitOpen and "
                    "DisableForwarding in its sshd_config, and restrict in authorized_keys")
        return (f"the SSH server of {target.host} cannot connect to {host} port {port}: "
                "does ovsdb-server listen there (ovs-vsctl get-manager)?")
    if code == _UNKNOWN_TYPE:
        return f"the SSH server of {target.host} cannot forward to Unix sockets, as OpenSSH 6.7 and newer can: use tcp:127.0.0.1:PORT as database"
    # OpenSSH answers in one way whether it may not forward to Unix sockets or there is none. But it says so if it may not forward at all.
    if code == _PROHIBITED or _forbids_tcp(paramiko, transport, target.timeout):
        return (f"sshd of {target.host} forbids forwarding to {host}: see AllowStreamLocalForwarding and AllowTcpForwarding (both are needed), "
                "PermitOpen and DisableForwarding in its sshd_config, and restrict in authorized_keys")
    return (f"sshd of {target.host} did not connect to {host}: either Open vSwitch is not installed or does not run there, or "
            f"{_user(target)} may not open the socket (which is root's as a rule), or sshd_config has 'AllowStreamLocalForwarding no' "
            "(then sshd's log has 'refused streamlocal port forward')")


def _forbids_tcp(paramiko: Any, transport: Any, timeout: float) -> bool:
    """Whether the server forbids forwarding to TCP ports; a channel to port 1 is what is least likely to be of use to anybody."""
    try:
        transport.open_channel("direct-tcpip", ("127.0.0.1", 1), ("127.0.0.1", 0), timeout=timeout).close()
    except paramiko.ChannelException as error:
        return bool(error.code == _PROHIBITED)
    except (paramiko.SSHException, OSError, EOFError):
        return False
    return False
