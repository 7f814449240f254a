"""Workers that can be watched, in memory: they keep the protocol of control sockets, and say when it is not kept."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chainctl.errors import ChainctlError, DeployError


@dataclass
class FakeWorker:
    """One process. `refuses` maps actions to what is answered to a prepare of them, once each."""

    committed: int = 0
    ready: dict[int, tuple[str, dict[str, str], tuple[str, ...]]] = field(default_factory=dict)
    served: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    in_flight: dict[str, int] = field(default_factory=dict)
    oldest: int = 0
    refuses: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    is_lost: bool = False
    last: tuple[str, bytes] | None = None
    serves: tuple[int, int | None] = (0, None)
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.prepare = self._prepare

    def answer(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.is_lost:
            raise DeployError("the service does not answer")
        match message["verb"]:
            case "status":
                return {"generation": self.committed, "in_flight": self.in_flight, "pid": 1}
            case "prepare":
                return self.prepare(message)
            case "commit":
                number = message["generation"]
                action, files, _ = self.ready.pop(number, ("", {}, ()))
                assert number > self.committed, "a generation is served once"
                self.committed = number
                self.served.append((number, action, files))
            case "abort":
                self.ready.pop(message["generation"], None)
            case "last_call" if self.last is not None:
                media, body = self.last
                return {"ok": True, "call": {"media": media, "body": base64.b64encode(body).decode()}}
            case "serve" if "serve" in self.refuses:
                return self.refuses.pop("serve")
            case "serve":
                self.serves = message["first"], message["last"]
            case "retire":
                self.oldest = message["before"]
        return {"ok": True}

    def start_anew(self) -> None:
        """Forget everything, as a process does that dies and is started again."""
        self.committed, self.ready, self.in_flight = 0, {}, {}

    def _prepare(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        action = message["action"]
        if action in self.refuses:
            return self.refuses.pop(action)
        assert message["generation"] not in self.ready, "it is ready already"
        self.ready[message["generation"]] = (action, message["files"], tuple(message["removed"]))
        return {"ok": True, "action": action, "seconds": 0.0}


@dataclass
class FakeControls:
    """The control sockets of a chain; `log` has who was told what, in order. `away` is why none can be reached."""

    workers: dict[tuple[str, int], FakeWorker] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    away: ChainctlError | None = None

    def control(self, chain: str, service: str, replica: int = 1) -> FakeControl:
        if self.away is not None:
            raise self.away
        return FakeControl(self, (service, replica))

    def worker(self, service: str, replica: int = 1) -> FakeWorker:
        return self.workers.setdefault((service, replica), FakeWorker())


@dataclass
class FakeControl:
    """A connection to one of them."""

    controls: FakeControls
    replica: tuple[str, int]
    is_closed: bool = False

    def ask(self, message: Mapping[str, Any], within_sec: float) -> Mapping[str, Any]:
        assert not self.is_closed, "the connection is closed"
        if self.controls.away is not None:
            raise DeployError("the connection ended")
        self.controls.log.append((self.replica[0], message["verb"]))
        return self.controls.worker(*self.replica).answer(message)

    def cut(self) -> None:
        self.controls.log.append((self.replica[0], "cut"))

    def close(self) -> None:
        self.is_closed = True
