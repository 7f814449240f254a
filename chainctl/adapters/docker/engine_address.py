"""An environment and Docker's configuration directory in; the EngineAddress that they name out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chainctl.errors import UsageError

DEFAULT_URL = "unix:///var/run/docker.sock"
_CURRENT = "current context"


@dataclass(frozen=True, slots=True)
class TLSFiles:
    """What a TLS connection to an engine is made with; None where a file does not exist."""

    ca: Path | None
    certificate: Path | None
    key: Path | None
    is_verified: bool

    @classmethod
    def found_in(cls, directory: Path, *, is_verified: bool) -> TLSFiles:
        ca, certificate, key = (
            path if path.is_file() else None
            for path in (directory / name for name in ("ca.pem", "cert.pem", "key.pem"))
        )
        return cls(ca, certificate, key, is_verified)


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where an engine listens. `source` says who named it, such as "DOCKER_HOST"."""

    url: str
    source: str = "default"
    tls: TLSFiles | None = None

    @property
    def is_chosen(self) -> bool:
        """Say whether a variable or a setting names it: then no other place will do."""
        return self.source != "default" and not self.source.startswith(_CURRENT)

    @classmethod
    def resolve(
        cls,
        environ: Mapping[str, str],
        config_dir: Path,
        *,
        host: str | None = None,
        context: str | None = None,
    ) -> EngineAddress:
        """Return the engine that the docker command would talk to.

        Precedence: `host`, `context`, DOCKER_HOST, DOCKER_CONTEXT, the current context of
        `config_dir`/config.json, the default socket. Raises UsageError for unknown contexts.
        """
        if host:
            return _from_url(host, "the setting docker_host", environ, config_dir)
        if context and context != "default":
            return _from_context(context, "the setting docker_context", config_dir)
        if environ.get("DOCKER_HOST"):
            return _from_url(environ["DOCKER_HOST"], "DOCKER_HOST", environ, config_dir)
        if context == "default":
            return cls(DEFAULT_URL)
        if environ.get("DOCKER_CONTEXT"):
            return _from_context(environ["DOCKER_CONTEXT"], "DOCKER_CONTEXT", config_dir)
        return _from_context(_current_context(config_dir), _CURRENT, config_dir)


def docker_config_dir(environ: Mapping[str, str], home: Path) -> Path:
    """Return the directory of Docker's client configuration."""
    named = environ.get("DOCKER_CONFIG")
    return Path(named) if named else home / ".docker"


def _from_url(url: str, source: str, environ: Mapping[str, str], config_dir: Path) -> EngineAddress:
    if not url.startswith(("tcp://", "http://", "https://")):
        return EngineAddress(url, source)
    accepts_any = bool(environ.get("DOCKER_TLS"))
    is_verified = bool(environ.get("DOCKER_TLS_VERIFY")) or not accepts_any
    if not (environ.get("DOCKER_TLS_VERIFY") or accepts_any or url.startswith("https://")):
        return EngineAddress(url, source)
    directory = Path(environ.get("DOCKER_CERT_PATH") or config_dir)
    return EngineAddress(url, source, TLSFiles.found_in(directory, is_verified=is_verified))


def _current_context(config_dir: Path) -> str:
    try:
        config = json.loads((config_dir / "config.json").read_text())
    except (OSError, ValueError):
        return "default"
    name = config.get("currentContext") if isinstance(config, dict) else None
    return name if isinstance(name, str) and name else "default"


def _from_context(name: str, source: str, config_dir: Path) -> EngineAddress:
    if name == "default":
        return EngineAddress(DEFAULT_URL)
    endpoint = _docker_endpoint(name, config_dir)
    url, skip_verify = endpoint.get("Host"), endpoint.get("SkipTLSVerify")
    directory = config_dir / "contexts" / "tls" / _context_id(name) / "docker"
    has_tls = directory.is_dir() or skip_verify is True
    tls = TLSFiles.found_in(directory, is_verified=not skip_verify) if has_tls else None
    address = url if isinstance(url, str) and url else DEFAULT_URL
    return EngineAddress(
        address, f"{source} {name}", tls if address.startswith(("tcp://", "https://")) else None
    )


def _docker_endpoint(name: str, config_dir: Path) -> dict[str, object]:
    path = config_dir / "contexts" / "meta" / _context_id(name) / "meta.json"
    try:
        endpoint = json.loads(path.read_text())["Endpoints"]["docker"]
    except FileNotFoundError:
        raise UsageError(f"There is no docker context named {name}", hint=_LIST) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"The docker context {name} can not be read", hint=_LIST) from None
    return endpoint if isinstance(endpoint, dict) else {}


def _context_id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


_LIST = "list the contexts with `docker context ls`, or name an engine in DOCKER_HOST or the setting `docker_host`"
