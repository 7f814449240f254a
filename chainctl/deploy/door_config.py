"""What a front door is told in; HAProxy's configuration for it, as text, out. Pure."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from chainctl.calls.address import SERVICE_PORT
from chainctl.sdk.config import MOST_REPLICAS
from chainctl.templates import render
from chainctl.wire.fault import error_body

PORT = 8080
OPEN_PATH = "/openz"
BACKEND = "live"
FRONTEND = "chain"
CONTROL_PORT = 9999
PEER_PORT = 9998
CONNECTIONS = 2048
ANSWER_SEC = 3600
_HARD_STOP_SEC = 3600
_AGAIN = (("retry-after", "1"), ("x-chainctl-not-started", "1"))


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the replicas with the traffic are found: a name that stands for all of their addresses.

    There is room for those of two releases, which may run beside each other.
    """

    host: str
    port: int = SERVICE_PORT
    slots: int = 2 * MOST_REPLICAS
    open_path: str = OPEN_PATH


@dataclass(frozen=True, slots=True)
class DoorConfig:
    """What is written into a door's configuration.

    `digest` tells it from others. `token` is what HAProxy sets as the chain's token, quoted or an expression;
    `keys_file` and `tls_file` are where the accepted keys and the certificate are, None for none. Without an
    `entry` the routes are in a file of their own. `answer_sec` bounds the silence of a service. `hold_file` is
    where the Lua is that has requests wait for a chain that sleeps, None where it does not sleep. `peers` is the
    network, as CIDR, from which the control port is reached too, at PEER_PORT; "" for none.
    """

    digest: str
    token: str
    _: KW_ONLY
    keys_file: str | None = None
    tls_file: str | None = None
    entry: Entry | None = None
    answer_sec: int = ANSWER_SEC
    hold_file: str | None = None
    peers: str = ""


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


def door_text(config: DoorConfig) -> str:
    """Return the configuration of a front door."""
    refusal = error_body("unauthorized", "this chain needs its API key, as `Authorization: Bearer KEY`")
    return render(
        "haproxy.cfg.j2",
        {
            "digest": config.digest,
            "port": PORT,
            "control_port": CONTROL_PORT,
            "connections": CONNECTIONS,
            "hard_stop_sec": _HARD_STOP_SEC,
            "answer_sec": config.answer_sec,
            "keys_file": config.keys_file,
            "tls_file": config.tls_file,
            "scheme": "https" if config.tls_file else "http",
            "token": config.token,
            "entry": config.entry,
            "hold_file": config.hold_file,
            "peers": config.peers,
            "peer_port": PEER_PORT,
            "backend": BACKEND,
            "unauthorized": quoted(refusal.decode()),
            "answers": [
                Answer(status, quoted(error_body(kind, message).decode()), headers)
                for status, kind, message, headers in ANSWERS
            ],
        },
    )


def quoted(text: str) -> str:
    """Quote a word for HAProxy. Raises ValueError for what no line can hold."""
    if "\n" in text or "\r" in text or "\0" in text:
        raise ValueError("a line break can not be quoted")
    return "'" + text.replace("'", "'\\''") + "'"
