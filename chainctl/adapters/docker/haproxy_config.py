"""A front door's settings and secrets in; HAProxy's files, of which only those with secrets are secret, out. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import PurePosixPath

from chainctl.templates import render
from chainctl.wire.fault import error_body

DIRECTORY = PurePosixPath("/usr/local/etc/haproxy")
CONFIG_FILE = "haproxy.cfg"
KEYS_FILE = "keys"
TLS_FILE = "tls.pem"
HOLD_FILE = "hold.lua"
BACKEND = "live"
HOLD_SEC = 300
"""So long a request waits for a chain that sleeps, where its answer may take as long."""
PORT = 8080
CONTROL_PORT = 9999
CONNECTIONS = 2048
_HARD_STOP_SEC = 3600
_DIGEST = re.compile(rb"^    description ([0-9a-f]+)$", re.MULTILINE)
_AGAIN = (("retry-after", "1"), ("x-chainctl-not-started", "1"))


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """What one front door is configured with. `answer_sec` bounds the silence of a service.

    With `holds` requests wait while nothing is there to answer them.
    """

    digest: str
    _: KW_ONLY
    token: str = field(repr=False)
    key: bytes | None = field(default=None, repr=False)
    tls: bytes | None = field(default=None, repr=False)
    answer_sec: int = 3600
    holds: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What the door answers in place of a service; `body` is quoted for HAProxy."""

    status: int
    body: str
    headers: tuple[tuple[str, str], ...] = ()


ANSWERS = (
    (400, "bad_request", "the request is not valid HTTP", ()),
    (408, "request_timeout", "the request took too long to arrive", ()),
    (500, "internal", "the front door failed", ()),
    (502, "service_lost", "the service ended before it answered", ()),
    (503, "service_down", "no service of this chain is ready", _AGAIN),
    (504, "timeout", "the service took too long to answer", ()),
)


def door_files(settings: DoorSettings, directory: PurePosixPath = DIRECTORY) -> dict[str, bytes]:
    """Return the files of a door by name; what is not used is empty, so that it overwrites."""
    return {
        CONFIG_FILE: config_text(settings, directory).encode(),
        KEYS_FILE: _key_line(settings.key),
        TLS_FILE: settings.tls or b"",
        HOLD_FILE: _hold_text(settings).encode() if settings.holds else b"",
    }


def config_text(settings: DoorSettings, directory: PurePosixPath = DIRECTORY) -> str:
    """Return the configuration of all but the routes. It has the chain's token in it."""
    refusal = error_body("unauthorized", "this chain needs its API key, as `Authorization: Bearer KEY`")
    return render(
        "haproxy.cfg.j2",
        {
            "digest": settings.digest,
            "directory": directory,
            "port": PORT,
            "control_port": CONTROL_PORT,
            "connections": CONNECTIONS,
            "hard_stop_sec": _HARD_STOP_SEC,
            "answer_sec": settings.answer_sec,
            "has_key": settings.key is not None,
            "has_tls": settings.tls is not None,
            "holds": settings.holds,
            "backend": BACKEND,
            "scheme": "http" if settings.tls is None else "https",
            "token": quoted(settings.token.replace("%", "%%")),
            "unauthorized": quoted(refusal.decode()),
            "answers": [
                Answer(status, quoted(error_body(kind, message).decode()), headers)
                for status, kind, message, headers in ANSWERS
            ],
        },
    )


def digest_in(files: Mapping[str, bytes]) -> str:
    """Return the digest of the settings that a door's files were made from, "" for none."""
    found = _DIGEST.search(files.get(CONFIG_FILE, b""))
    return found[1].decode() if found else ""


def quoted(text: str) -> str:
    """Quote a word for HAProxy. Raises ValueError for what no line can hold."""
    if "\n" in text or "\r" in text or "\0" in text:
        raise ValueError("a line break can not be quoted")
    return "'" + text.replace("'", "'\\''") + "'"


def _key_line(key: bytes | None) -> bytes:
    """Keys are told by their SHA-256: whoever reads the volume does not learn them."""
    return b"" if key is None else hashlib.sha256(key.strip()).hexdigest().encode() + b"\n"


def _hold_text(settings: DoorSettings) -> str:
    values = {"hold_sec": min(settings.answer_sec, HOLD_SEC), "backend": BACKEND}
    return render("hold.lua.j2", values)
