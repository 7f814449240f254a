"""The OTEL_ variables of OpenTelemetry in; where and how spans are exported out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional
from urllib.parse import unquote, urlsplit

_LOG = logging.getLogger("chainctl.telemetry")
_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_PATH = "/v1/traces"


@dataclass(frozen=True)
class OtlpSettings:
    """Where spans go. `headers` may hold secrets: they are in no text of this object."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    resource: Mapping[str, str] = field(default_factory=dict)
    timeout_sec: float = 10.0
    is_compressed: bool = False
    certificate: str = ""
    queue_size: int = 2048
    batch_size: int = 512
    delay_sec: float = 5.0

    @classmethod
    def of(cls, environ: Mapping[str, str], service: str, chainlet: str) -> Optional[OtlpSettings]:
        """Read the variables, None where nothing is to be exported. What cannot be used is logged."""
        if _is_off(environ):
            return None
        url = _url(environ)
        if url is None:
            return None
        return cls(
            url=url,
            headers=_pairs(environ, "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
            resource=_resource(environ, service, chainlet),
            timeout_sec=_number(environ, _specific(environ, "TIMEOUT"), 10_000) / 1000,
            is_compressed=environ.get(_specific(environ, "COMPRESSION"), "").strip() == "gzip",
            certificate=environ.get(_specific(environ, "CERTIFICATE"), "").strip(),
            queue_size=_number(environ, "OTEL_BSP_MAX_QUEUE_SIZE", 2048),
            batch_size=_number(environ, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512),
            delay_sec=_number(environ, "OTEL_BSP_SCHEDULE_DELAY", 5000) / 1000,
        )


def _is_off(environ: Mapping[str, str]) -> bool:
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return True
    return environ.get("OTEL_TRACES_EXPORTER", "otlp").strip() == "none"


def _url(environ: Mapping[str, str]) -> Optional[str]:
    own, base = environ.get(_TRACES_ENDPOINT, "").strip(), environ.get(_ENDPOINT, "").strip()
    if not own and not base:
        return None
    url = own or base.rstrip("/") + _PATH
    if environ.get(_specific(environ, "PROTOCOL"), "").strip() == "grpc":
        _LOG.warning("spans are not exported: OTLP goes over HTTP here, not grpc; see the protocol variable")
        return None
    if not _is_http(url):
        _LOG.warning("spans are not exported: the OTLP endpoint is no http:// or https:// URL")
        return None
    return url


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _specific(environ: Mapping[str, str], name: str) -> str:
    """Return the variable for traces where it is set, else the one for everything."""
    own = f"OTEL_EXPORTER_OTLP_TRACES_{name}"
    return own if environ.get(own, "").strip() else f"OTEL_EXPORTER_OTLP_{name}"


def _resource(environ: Mapping[str, str], service: str, chainlet: str) -> dict[str, str]:
    own = {"service.name": chainlet, "service.namespace": environ.get("CHAINCTL_CHAIN", "")}
    given = _pairs(environ, "OTEL_RESOURCE_ATTRIBUTES")
    named = environ.get("OTEL_SERVICE_NAME", "").strip()
    resource = {**own, "service.instance.id": service, "chainctl.chainlet": chainlet, **given}
    return {name: value for name, value in {**resource, **_if_set("service.name", named)}.items() if value}


def _if_set(name: str, value: str) -> dict[str, str]:
    return {name: value} if value else {}


def _pairs(environ: Mapping[str, str], *names: str) -> dict[str, str]:
    """Parse `key=value,key=value`, percent-encoded; of a pair that is none only the variable is told."""
    pairs: dict[str, str] = {}
    for name in names:
        for pair in filter(str.strip, environ.get(name, "").split(",")):
            key, is_pair, value = pair.partition("=")
            if not is_pair or not key.strip():
                _LOG.warning("%s: a part of it is no key=value and is left out", name)
                continue
            pairs[unquote(key.strip())] = unquote(value.strip())
    return pairs


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    given = environ.get(name, "").strip()
    if not given:
        return default
    if given.isascii() and given.isdigit() and int(given) > 0:
        return int(given)
    _LOG.warning("%s: %r is no positive whole number; %d holds", name, given, default)
    return default
