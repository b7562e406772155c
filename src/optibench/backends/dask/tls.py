"""Certificates for a Dask cluster that speaks TLS, and a first word with its scheduler."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from optibench.errors import ConfigError

ANSWER_SECONDS = 5.0
ENCRYPTED = ("tls", "wss")


@dataclass(frozen=True)
class TLSFiles:
    """Files in PEM format (backend.tls); without any, those of Dask's own configuration hold.

    Attributes:
        ca_file: certificates of who has signed the cluster's.
        cert: this program's own certificate.
        key: its private key; may be in `cert` as well.
    """

    ca_file: str | None = None
    cert: str | None = None
    key: str | None = None

    @property
    def given(self) -> bool:
        """True where one of them is."""
        return any((self.ca_file, self.cert, self.key))

    def context(self, scheme: str) -> ssl.SSLContext | None:
        """What a connection is made with; None for an address without encryption.

        Raises:
            ConfigError: files without such an address or the other way round, or of no use.
        """
        if scheme not in ENCRYPTED:
            self._refuse_any(scheme)
            return None
        files = self if self.given else TLSFiles(**_of_dask())
        if not (files.ca_file and files.cert):
            msg = (
                f"backend.address={scheme}://...: an encrypted connection needs "
                "backend.tls.ca_file (who has signed the cluster's certificates) and "
                "backend.tls.cert with backend.tls.key (this program's own)."
            )
            raise ConfigError(msg)
        files._refuse_missing()
        return _loaded(files.ca_file, files.cert, files.key)

    def security(self) -> Any:
        """The same for distributed; None leaves it to Dask's own configuration."""
        if not self.given:
            return None
        from distributed.security import Security

        make: Any = Security  # distributed's functions have no types
        return make(
            require_encryption=True,
            tls_ca_file=self.ca_file,
            tls_client_cert=self.cert,
            tls_client_key=self.key,
        )

    def _refuse_any(self, scheme: str) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                where = "without backend.address" if not scheme else f"with {scheme}://"
                msg = (
                    f"backend.tls.{field.name}={value!r} {where}: allowed is a tls:// address, or "
                    "no such key."
                )
                raise ConfigError(msg)

    def _refuse_missing(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not Path(value).is_file():
                msg = (
                    f"backend.tls.{field.name}={value!r}: there is no such file; give the path of "
                    "one in PEM format."
                )
                raise ConfigError(msg)


def greet(place: tuple[str, int], scheme: str, context: ssl.SSLContext | None) -> None:
    """Connect to a scheduler, and wait for its first byte where it is the first to speak.

    A refusal of our certificate comes only then; Dask itself would try again for half a minute.

    Raises:
        OSError: nobody answers, or with other certificates (`ssl.SSLError`), or not in this way.
    """
    with socket.create_connection(place, timeout=ANSWER_SECONDS) as plain:
        if scheme not in ("tcp", "tls"):
            return
        if context is None:
            _first_byte(plain)
            return
        with context.wrap_socket(plain) as wrapped:
            _first_byte(wrapped)


def _first_byte(connection: socket.socket) -> None:
    try:
        answer = connection.recv(1)
    except TimeoutError as error:
        msg = "whoever listens there says nothing: is it a scheduler, and one without TLS?"
        raise TimeoutError(msg) from error
    if not answer:
        msg = "whoever listens there hangs up"
        raise ConnectionError(msg)


def _loaded(ca_file: str, cert: str, key: str | None) -> ssl.SSLContext:
    """A context for connections to a cluster, whose certificates name no host."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        msg = f"backend.tls.ca_file={ca_file!r}: no certificates in PEM format ({error.reason})."
        raise ConfigError(msg) from error
    context.check_hostname = False
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        context.load_cert_chain(cert, key, password="")  # else OpenSSL would ask for one
    except (ssl.SSLError, ValueError) as error:
        msg = (
            f"backend.tls.cert={cert!r} and backend.tls.key={key!r}: no certificate with its "
            f"unencrypted private key in PEM format ({error})."
        )
        raise ConfigError(msg) from error
    return context


def _of_dask() -> dict[str, Any]:
    """What Dask's own configuration (files, environment) says."""
    import dask

    get: Any = dask.config.get  # Dask's functions have no types
    prefix = "distributed.comm.tls"
    return {
        "ca_file": get(f"{prefix}.ca-file", None),
        "cert": get(f"{prefix}.client.cert", None),
        "key": get(f"{prefix}.client.key", None),
    }
