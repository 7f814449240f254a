"""A front door's settings and secrets in; HAProxy's files, of which only those with secrets are secret, out. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import PurePosixPath

from chainctl.deploy.door_config import ANSWER_SEC, BACKEND, DoorConfig, door_text, quoted
from chainctl.templates import render

DIRECTORY = PurePosixPath("/usr/local/etc/haproxy")
CONFIG_FILE = "haproxy.cfg"
KEYS_FILE = "keys"
TLS_FILE = "tls.pem"
HOLD_FILE = "hold.lua"
HOLD_SEC = 300
"""So long a request waits for a chain that sleeps, where its answer may take as long."""
_DIGEST = re.compile(rb"^    description ([0-9a-f]+)$", re.MULTILINE)


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
    answer_sec: int = ANSWER_SEC
    holds: bool = False


def door_files(settings: DoorSettings, directory: PurePosixPath = DIRECTORY) -> dict[str, bytes]:
    """Return the files of a door by name; what is not used is empty, so that it overwrites."""
    return {
        CONFIG_FILE: config_text(settings, directory).encode(),
        KEYS_FILE: _key_line(settings.key),
        TLS_FILE: settings.tls or b"",
        HOLD_FILE: hold_text(settings).encode() if settings.holds else b"",
    }


def config_text(settings: DoorSettings, directory: PurePosixPath = DIRECTORY) -> str:
    """Return the configuration of all but the routes. It has the chain's token in it."""
    return door_text(
        DoorConfig(
            settings.digest,
            quoted(settings.token.replace("%", "%%")),
            keys_file=None if settings.key is None else str(directory / KEYS_FILE),
            tls_file=None if settings.tls is None else str(directory / TLS_FILE),
            answer_sec=settings.answer_sec,
            hold_file=str(directory / HOLD_FILE) if settings.holds else None,
        )
    )


def digest_in(files: Mapping[str, bytes]) -> str:
    """Return the digest of the settings that a door's files were made from, "" for none."""
    found = _DIGEST.search(files.get(CONFIG_FILE, b""))
    return found[1].decode() if found else ""


def hold_text(settings: DoorSettings) -> str:
    """Return the Lua that has requests wait for a chain that sleeps."""
    values = {"hold_sec": min(settings.answer_sec, HOLD_SEC), "backend": BACKEND}
    return render("hold.lua.j2", values)


def _key_line(key: bytes | None) -> bytes:
    """Keys are told by their SHA-256: whoever reads the volume does not learn them."""
    return b"" if key is None else hashlib.sha256(key.strip()).hexdigest().encode() + b"\n"
