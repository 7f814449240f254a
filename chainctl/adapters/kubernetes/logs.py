"""A chain in; the lines that its pods wrote, those that ended too, merged by time, out."""

from __future__ import annotations

import heapq
import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chainctl.adapters.kubernetes.api import Api, Object
from chainctl.adapters.kubernetes.observe import NETWORK_COMPONENT, annotations_of, seconds, service_of
from chainctl.adapters.kubernetes.pods import restarts_of
from chainctl.adapters.log_arrivals import LogArrivals
from chainctl.deploy.kubernetes.names import (
    CHAINLET,
    COMPONENT,
    SERVICE_COMPONENT,
    chain_labels,
)
from chainctl.deploy.target import LogLine
from chainctl.errors import ChainctlError

_CONTAINER = "chainlet"
_LOOK_SEC = 1.0
_JOIN_SEC = 5.0
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT")


@dataclass(frozen=True, slots=True)
class Writer:
    """A pod that writes, and whose it is."""

    pod: str
    service: str
    chainlet: str
    restarts: int

    def line(self, stamp: str, text: str) -> LogLine:
        return LogLine(seconds(stamp), self.chainlet, self.service, text)


def read_logs(
    api: Api,
    chain: str,
    *,
    chainlets: Sequence[str] = (),
    since: float | None = None,
    tail: int | None = None,
    follow: bool = False,
) -> Iterator[LogLine]:
    """Yield lines in time order; with `follow` those to come too, until the chain is taken down."""
    seen: dict[str, str] = {}
    streams = [_written(api, one, since, tail, seen) for one in writers(api, chain, chainlets)]
    lines = heapq.merge(*streams, key=lambda line: line.time)
    yield from lines if tail is None else deque(lines, maxlen=tail)
    if follow:
        with closing(_Follower(api, chain, chainlets, since, seen)) as follower:
            yield from follower.lines()


def last_lines(api: Api, pod: str, container: str, count: int) -> list[str]:
    """Return what a pod wrote last, that of the container that ended first where it has been started again."""
    for query in ({"previous": "true"}, {}):
        with api.reading(
            _path(api, pod), {"container": container, "tailLines": str(count), **query}
        ) as answer:
            if answer is not None and (text := answer.read().decode(errors="replace")):
                return str(text).splitlines()
    return []


def writers(api: Api, chain: str, chainlets: Sequence[str]) -> list[Writer]:
    """Return the pods of services of these chainlets, no names meaning all, in the order of their names."""
    mine = {**chain_labels(chain), COMPONENT: SERVICE_COMPONENT}
    names = {service_of(one): annotations_of(one).get(CHAINLET, "") for one in api.list("Deployment", mine)}
    found = (_writer(pod, names) for pod in api.list("Pod", mine))
    return sorted(
        (one for one in found if not chainlets or one.chainlet in chainlets), key=lambda one: one.pod
    )


def _writer(pod: Object, names: Mapping[str, str]) -> Writer:
    service = service_of(pod)
    label = pod["metadata"]["labels"].get(CHAINLET, "")
    return Writer(pod["metadata"]["name"], service, names.get(service) or label, restarts_of(pod))


def _written(
    api: Api, writer: Writer, since: float | None, tail: int | None, seen: dict[str, str]
) -> Iterator[LogLine]:
    """Yield the lines of a pod: of the container that ended before, where there was one, and of the one now."""
    for previous in (["true"] if writer.restarts else []) + ["false"]:
        query = {"previous": previous, **_since(since), **({} if tail is None else {"tailLines": str(tail)})}
        for stamp, text in _stamped(api, writer.pod, query, []):
            seen[writer.pod] = stamp
            line = writer.line(stamp, text)
            if since is None or line.time >= since:
                yield line


def _stamped(
    api: Api, pod: str, query: Mapping[str, str], open_answers: list[Any], *, is_endless: bool = False
) -> Iterator[tuple[str, str]]:
    """Yield the lines of a pod with their times."""
    asked = {"container": _CONTAINER, "timestamps": "true", **query}
    with api.reading(_path(api, pod), asked, is_endless=is_endless) as answer:
        if answer is None:
            return
        open_answers.append(answer)
        rest = b""
        for piece in answer.stream(1 << 16):
            *lines, rest = (rest + piece).split(b"\n")
            yield from filter(None, map(taken_apart, lines))
        if last := taken_apart(rest):
            yield last


def taken_apart(line: bytes) -> tuple[str, str] | None:
    """Return when a line was written and what it says; None for what the node says itself, without a time. Pure."""
    stamp, _, text = line.decode(errors="replace").partition(" ")
    return (stamp, text) if _STAMP.match(stamp) else None


def _since(since: float | None) -> dict[str, str]:
    """The API knows whole seconds only: what is too much is left out afterwards."""
    if since is None:
        return {}
    return {"sinceTime": datetime.fromtimestamp(int(since), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _path(api: Api, pod: str) -> str:
    return f"/api/v1/namespaces/{api.namespace}/pods/{pod}/log"


class _Follower:
    """Reads each pod in a thread of its own; closing it ends them all.

    `seen` maps pods to the time of the last line that was shown; others are read from `since` on.
    """

    def __init__(
        self, api: Api, chain: str, chainlets: Sequence[str], since: float | None, seen: dict[str, str]
    ) -> None:
        self._api = api
        self._chain = chain
        self._chainlets = chainlets
        self._since = since
        self._seen = seen
        self._arrived = LogArrivals()
        self._readers: dict[str, threading.Thread] = {}
        self._answers: list[Any] = []
        self._is_over = threading.Event()

    def lines(self) -> Iterator[LogLine]:
        """Yield lines as they come, until the chain is gone. Raises EngineError."""
        while self._is_there():
            for writer in writers(self._api, self._chain, self._chainlets):
                reader = self._readers.get(writer.pod)
                if reader is None or not reader.is_alive():
                    self._readers[writer.pod] = self._started(writer)
            yield from self._arrived.within(_LOOK_SEC)
        self._join()
        yield from self._arrived.within(0)

    def close(self) -> None:
        """Cut every stream and wait until its thread has left."""
        self._is_over.set()
        for answer in self._answers:
            with suppress(OSError, AttributeError, ValueError):
                answer.shutdown()
        self._join()

    def _is_there(self) -> bool:
        network = {**chain_labels(self._chain), COMPONENT: NETWORK_COMPONENT}
        return bool(self._api.list("NetworkPolicy", network))

    def _started(self, writer: Writer) -> threading.Thread:
        thread = threading.Thread(target=self._read, args=(writer,), name=f"log of {writer.pod}", daemon=True)
        thread.start()
        return thread

    def _read(self, writer: Writer) -> None:
        last = self._seen.get(writer.pod, "")
        query = {"follow": "true", **_since(seconds(last) if last else self._since)}
        try:
            for stamp, text in _stamped(self._api, writer.pod, query, self._answers, is_endless=True):
                if stamp > last and self._is_wanted(seconds(stamp)):
                    self._seen[writer.pod] = stamp
                    self._arrived.put(writer.line(stamp, text))
        except ChainctlError as error:
            if not self._is_over.is_set():
                self._arrived.put(error)

    def _is_wanted(self, moment: float) -> bool:
        return self._since is None or moment >= self._since

    def _join(self) -> None:
        for reader in self._readers.values():
            reader.join(_JOIN_SEC)
