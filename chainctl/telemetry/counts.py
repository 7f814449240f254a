"""Finished spans and functions that read a number in; what metrics are made of out."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from chainctl.telemetry.span import Span
from chainctl.telemetry.tally import Tally

T = TypeVar("T")
# Names come from declared dependencies; a bound all the same, because memory must have one.
_MOST_NAMES = 256
_OTHER = "(other)"


@dataclass(frozen=True)
class Reading:
    """A number that is asked for whenever metrics are read. `kind` is "gauge" or "counter"."""

    name: str
    doc: str
    kind: str
    read: Callable[[], float]


class Counts:
    """The tallies of one service, by the name of the endpoint and by that of the callee."""

    def __init__(self, service: str, chainlet: str) -> None:
        self.service = service
        self.chainlet = chainlet
        self.readings: list[Reading] = []
        self._lock = threading.Lock()
        self._endpoints: dict[str, Tally] = {}
        self._edges: dict[str, Tally] = {}

    def add_all(self, spans: Iterable[Span]) -> None:
        """Count finished spans."""
        groups: defaultdict[tuple[str, str], list[Span]] = defaultdict(list)
        for span in spans:
            groups[span.kind, span.name].append(span)
        with self._lock:
            for (kind, name), group in groups.items():
                tallies = self._endpoints if kind == "server" else self._edges
                _tally(tallies, name).add_all(group)

    def read(self, reader: Callable[[dict[str, Tally], dict[str, Tally]], T]) -> T:
        """Call a function with the tallies of endpoints and of edges, while none of them changes."""
        with self._lock:
            return reader(self._endpoints, self._edges)


def _tally(tallies: dict[str, Tally], name: str) -> Tally:
    known = tallies.get(name)
    if known is not None:
        return known
    return tallies.setdefault(name if len(tallies) < _MOST_NAMES else _OTHER, Tally())
