"""Lines in, the same lines in time order out: a LogSource in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chainctl.deploy.target import LogLine


class MemoryLogs:
    """The log of chains, by chain. `follow` ends with the last line that there is."""

    def __init__(self, lines: Iterable[tuple[str, LogLine]] = ()) -> None:
        self._lines = list(lines)

    def write(self, chain: str, line: LogLine) -> None:
        self._lines.append((chain, line))

    def logs(
        self,
        chain: str,
        *,
        chainlets: Sequence[str] = (),
        since: float | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        own = [line for name, line in self._lines if name == chain]
        shown = [line for line in own if not chainlets or line.chainlet in chainlets]
        late = sorted(
            (line for line in shown if since is None or line.time >= since), key=lambda line: line.time
        )
        yield from late if tail is None else late[len(late) - min(tail, len(late)) :]
