"""Certificates for a Dask cluster with TLS, and a first contact with its scheduler."""

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
    """Files in PEM format (backend.tls); without any, Dask's own configuration applies.

    Attributes:
        ca_file: certificates of the authority that signed the cluster's certificates.
        cert: this program's own certificate.
        key: its private key; may be in `cert` as well.
    """

    ca_file: str | None = None
    cert: str | None = None
    key: str | None = None

    @property
    def given(self) -> bool:
        """True if one of the files is set."""
        return any((self.ca_file, self.cert, self.key))

    def context(self, scheme: str) -> ssl.SSLContext | None:
        """Return the context for a connection; None for an address without encryption.

        Raises:
            ConfigError: files without an encrypted address, an encrypted address without files, or
                unusable files.
        """
        if scheme not in ENCRYPTED:
            self._refuse_files(scheme)
            return None
        files = self if self.given else TLSFiles(**_from_dask())
        if not (files.ca_file and files.cert):
            msg = (
                f"backend.address={scheme}://...: an encrypted connection needs "
                "backend.tls.ca_file (the authority that signed the cluster's certificates) and "
                "backend.tls.cert with backend.tls.key (this program's own)."
            )
            raise ConfigError(msg)
        files._refuse_missing()
        return _load_context(files.ca_file, files.cert, files.key)

    def security(self) -> Any:
        """Return the same settings for distributed; None: Dask's own configuration applies."""
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

    def _refuse_files(self, scheme: str) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                where = "without backend.address" if not scheme else f"with {scheme}://"
                msg = (
                    f"backend.tls.{field.name}={value!r} {where}: use a tls:// address, or leave "
                    "the key out."
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


def greet(address: tuple[str, int], scheme: str, context: ssl.SSLContext | None) -> None:
    """Connect to a scheduler, and wait for its first byte if it speaks first.

    A refusal of our certificate arrives only then; Dask itself would retry for half a minute.

    Raises:
        OSError: no server answers, its certificates differ (`ssl.SSLError`), or it does not speak
            this protocol.
    """
    with socket.create_connection(address, timeout=ANSWER_SECONDS) as connection:
        if scheme not in ("tcp", "tls"):
            return
        if context is None:
            _first_byte(connection)
            return
        with context.wrap_socket(connection) as encrypted:
            _first_byte(encrypted)


def _first_byte(connection: socket.socket) -> None:
    try:
        answer = connection.recv(1)
    except TimeoutError as error:
        msg = "the server there sends nothing: is it a scheduler, and one without TLS?"
        raise TimeoutError(msg) from error
    if not answer:
        msg = "the server there closes the connection"
        raise ConnectionError(msg)


def _load_context(ca_file: str, cert: str, key: str | None) -> ssl.SSLContext:
    """Return a context for connections to a cluster, whose certificates name no host."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        msg = f"backend.tls.ca_file={ca_file!r}: no certificates in PEM format ({error.reason})."
        raise ConfigError(msg) from error
    context.check_hostname = False
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        context.load_cert_chain(cert, key, password="")  # without it OpenSSL would prompt for one
    except (ssl.SSLError, ValueError) as error:
        msg = (
            f"backend.tls.cert={cert!r} and backend.tls.key={key!r}: no certificate with its "
            f"unencrypted private key in PEM format ({error})."
        )
        raise ConfigError(msg) from error
    return context


def _from_dask() -> dict[str, Any]:
    """Return the files that Dask's own configuration (files, environment) names."""
    import dask

    get: Any = dask.config.get  # Dask's functions have no types
    prefix = "distributed.comm.tls"
    return {
        "ca_file": get(f"{prefix}.ca-file", None),
        "cert": get(f"{prefix}.client.cert", None),
        "key": get(f"{prefix}.client.key", None),
    }
