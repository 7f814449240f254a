"""What an engine says of a registry in; the error that says why and what to do next out. Pure."""

from __future__ import annotations

import re

from chainctl.errors import RegistryError

_SILENT = re.compile(
    r"no such host|connection refused|i/o timeout|network is unreachable|deadline exceeded|no route to host"
    r"|TLS handshake timeout|server misbehaving|connection reset|EOF$|request canceled"
)
_PLAIN_HTTP = re.compile(r"server gave HTTP response to HTTPS client")
_UNTRUSTED = re.compile(r"x509:|tls: ")
_UNKNOWN_USER = re.compile(
    r"no basic auth credentials|unauthorized|authentication required|incorrect username or password",
    re.IGNORECASE,
)
_DENIED = re.compile(r"denied|forbidden", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/\s@\"]+@")


def is_silent(said: str) -> bool:
    """Say whether the registry could not be asked at all."""
    return bool(_SILENT.search(said) or _PLAIN_HTTP.search(said) or _UNTRUSTED.search(said))


def registry_refusal(host: str, repository: str, said: str, *, has_credentials: bool) -> RegistryError:
    """Return the error for a push that failed."""
    evidence = [_USERINFO.sub("", said)]
    if _PLAIN_HTTP.search(said):
        return RegistryError(
            f"The registry {host} speaks no TLS, and the engine wants it",
            hint=f'add "{host}" to `insecure-registries` in the engine\'s daemon.json, then push again',
            details=evidence,
        )
    if _UNTRUSTED.search(said):
        return RegistryError(
            f"The engine does not trust the certificate of the registry {host}",
            hint=f"put its authority into /etc/docker/certs.d/{host}/ca.crt on the engine's machine, "
            "then push again",
            details=evidence,
        )
    if _SILENT.search(said):
        return RegistryError(
            f"The registry {host} does not answer",
            hint="check the setting `registry`, and that the engine's machine reaches it, then push again",
            details=evidence,
        )
    if _DENIED.search(said):
        return RegistryError(
            f"The registry {host} does not let you push {repository}",
            hint=f"log in as somebody who may (`docker login {host}`), or choose another prefix",
            details=evidence,
        )
    if _UNKNOWN_USER.search(said):
        why = "refuses your credentials" if has_credentials else "wants credentials"
        return RegistryError(
            f"The registry {host} {why}",
            hint=f"log in with `docker login {host}`, then push again",
            details=evidence,
        )
    return RegistryError(
        f"The registry {host} did not take {repository}: {evidence[0]}",
        hint="push again; finished images are kept",
    )
