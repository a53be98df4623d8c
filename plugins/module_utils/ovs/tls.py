# SPDX-License-Identifier: Apache-2.0
"""TLS over any stream, with one pinned CA."""
from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, NamedTuple, Tuple

from ..errors import SluiceError
from .remote import Remote, Stream

_CHUNK = 1 << 16


class TlsFiles(NamedTuple):
    """PEM files on the machine that connects, in the words of ovs-vsctl(8)."""

    private_key: str
    certificate: str
    ca_cert: str
    """The only CA that is believed."""


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """What a client of OVSDB is in TLS; raises SluiceError where a file is not what it should be.

    No trust store of the system, and no check of host names: certificates of OVS name none (ovs-pki(8)), which is why only the one CA is believed.
    """
    for option, path in files._asdict().items():
        _check_readable(option, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(files.ca_cert)
    except ssl.SSLError:
        raise SluiceError(f"ca_cert {files.ca_cert} is not a certificate in PEM") from None
    try:
        context.load_cert_chain(files.certificate, files.private_key, password=_no_passphrase)
    except ssl.SSLError as error:
        fault = "do not belong together" if error.reason == "KEY_VALUES_MISMATCH" else "are not a private key without a passphrase and a certificate, in PEM"
        raise SluiceError(f"private_key {files.private_key} and certificate {files.certificate} {fault}") from None
    return context


def tls_stream(stream: Stream, context: ssl.SSLContext, remote: Remote) -> TlsStream:
    """The stream, encrypted; it is closed where that fails, with a SluiceError that says why."""
    encrypted = TlsStream(stream, context, remote)
    try:
        encrypted.handshake()
    except BaseException:
        stream.close()
        raise
    return encrypted


class TlsStream:
    """TLS between two buffers in memory, so that it needs of what is below no more than a stream: a channel of SSH is no socket."""

    def __init__(self, stream: Stream, context: ssl.SSLContext, remote: Remote) -> None:
        self._stream = stream
        self._remote = remote
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing)

    def handshake(self) -> None:
        """Raises SluiceError if the two do not come to trust each other."""
        try:
            self._run(self._tls.do_handshake)
        except socket.timeout:
            raise SluiceError(f"what listens at {self._remote} did not answer in TLS in time: does it speak plain TCP?") from None
        except ssl.SSLCertVerificationError as error:
            raise SluiceError(
                f"the certificate of ovsdb-server at {self._remote} is not one of the CA in ca_cert ({error.verify_message}); "
                "give the CA that signed it") from None
        except OSError as error:
            self._explain_refusal(error)
            raise SluiceError(f"what listens at {self._remote} does not speak TLS 1.2 or newer ({_said(error)}): is it a plain TCP port?") from None

    def settimeout(self, seconds: float) -> None:
        """How long each wait for the other side may take."""
        self._stream.settimeout(seconds)

    def recv(self, size: int) -> bytes:
        """Up to ``size`` bytes, nothing at the end of the stream; raises socket.timeout and OSError as a socket does."""
        try:
            return bytes(self._run(self._tls.read, size))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        except OSError as error:
            # In TLS 1.3 the server judges the client's certificate after the client is done with the handshake.
            self._explain_refusal(error)
            raise

    def sendall(self, data: bytes) -> None:
        """Send all of it; raises socket.timeout and OSError as a socket does."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._run(self._tls.write, rest):]
        except ConnectionError:
            # A server that went away may have said before why it did.
            with suppress(OSError):
                self.recv(1)
            raise

    def close(self) -> None:
        """End what is below, too."""
        self._stream.close()

    def _run(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """Do one step of TLS, with as much of reading and writing below as it asks for."""
        while True:
            done, result = self._try(step, *arguments)
            self._flush()
            if done:
                return result
            data = self._stream.recv(_CHUNK)
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _try(self, step: Callable[..., Any], *arguments: Any) -> Tuple[bool, Any]:
        """Whether the step could be done with what was read so far, and its result."""
        try:
            return True, step(*arguments)
        except ssl.SSLWantReadError:
            return False, None
        except ssl.SSLError:
            # The other side is to learn why this one goes away, if it is still there.
            with suppress(OSError):
                self._flush()
            raise

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self._stream.sendall(data)

    def _explain_refusal(self, error: OSError) -> None:
        said = _said(error)
        if "alert" in said and ("certificate" in said or "unknown ca" in said):
            raise SluiceError(
                f"ovsdb-server at {self._remote} refused the client's certificate ({said}): "
                "it has to be signed by the CA that the server was given") from None


def _check_readable(option: str, path: str) -> None:
    try:
        Path(path).read_bytes()
    except OSError as error:
        raise SluiceError(f"cannot read {option} {path}: {error.strerror}") from None


def _no_passphrase() -> str:
    """Without this, OpenSSL asks at the terminal."""
    return ""


def _said(error: OSError) -> str:
    """The error in OpenSSL's words, without where in its source it arose."""
    said = error.reason if isinstance(error, ssl.SSLError) and error.reason else error.strerror
    return str(said or error).lower().replace("_", " ")
