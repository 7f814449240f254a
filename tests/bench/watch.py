"""`python -m tests.bench.watch [--quick]`: edits of a watched chain, measured; docs/benchmarks-watch.md.

Model takes 20 s to start while single edits are timed, and hardly any under load, where its `__init__` is edited too.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.bench.host import load_average, this_host
from tests.bench.peers.peer import ROOT
from tests.bench.release_log import Seen
from tests.bench.watch_chain import CHAIN, Edition, Fault, course_of, sources
from tests.bench.watch_report import Course, Timed, report
from tests.bench.watch_tally import Edited, tally
from tests.bench.watched import Door, Watched, environ_of, is_told, save_all, watching

TARGETS = ("local", "docker")
START_SEC = 20.0
QUICK_START_SEC = 0.3
EDITS, LOADED, BROKEN = 60, 100, 20
_SETTLE_SEC = 0.25
_ANSWER_SEC = 30.0
_RENEW_SEC = 120.0
_REQUIREMENT = "iniconfig"


@dataclass
class Bench:
    """One chain in a directory of its own; `edition` is what was saved last and can serve."""

    directory: Path
    target: str
    name: str
    port: int
    start_sec: float
    edition: Edition = field(default_factory=Edition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        return environ_of(self.directory, self.port)

    def save(self, edition: Edition) -> float:
        """Save an edition; when that was."""
        return save_all(self.directory / "chain", sources(edition, self.start_sec))


def main(arguments: Sequence[str]) -> None:
    """Measure both targets and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.watch", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few edits and a short start, and print only")
    parser.add_argument("--target", choices=TARGETS, help="one target, and print only")
    given = parser.parse_args(arguments)
    started, load = time.time(), load_average()
    courses = [run(one, is_quick=given.quick) for one in TARGETS if given.target in (None, one)]
    text = report(courses, this_host(), started, time.time() - started, load)
    if not (given.quick or given.target):
        (ROOT / "docs" / "benchmarks-watch.md").write_text(text, encoding="utf-8")
    print(text)
    for course in courses:
        print("\n".join(course.tally.wrong[:40]), file=sys.stderr)
    sys.exit(0 if all(course.tally.is_clean for course in courses) else 1)


def run(target: str, *, is_quick: bool) -> Course:
    """Time single edits of a chain that starts slowly, then edit one that is asked all the time."""
    start_sec = 3.0 if is_quick else START_SEC
    with _bench(target, start_sec) as bench, _watched(bench) as (watched, door):
        start = _started(watched)
        swaps = tuple(_swaps(bench, watched, door, 8 if is_quick else EDITS))
        restart = _heavy(bench, watched, door, replace(bench.edition, weights=2))
        rebuild = _heavy(bench, watched, door, replace(bench.edition, requirement=_REQUIREMENT))
    edits, broken = (20, 5) if is_quick else (LOADED, BROKEN)
    with _bench(target, QUICK_START_SEC) as bench, _watched(bench) as (watched, _):
        first = bench.edition.marks
        with _callers(bench) as seen:
            course = enumerate(course_of(edits, broken), 2)
            edited = [_loaded(bench, watched, number, fault) for number, fault in course]
        told = tally(seen(), first, edited)
    return Course(target, start, swaps, restart, rebuild, told)


@contextmanager
def _bench(target: str, start_sec: float) -> Iterator[Bench]:
    directory = Path(tempfile.mkdtemp(prefix="bench-watch-"))
    bench = Bench(directory, target, f"watch-{uuid.uuid4().hex[:6]}", _free_port(), start_sec)
    try:
        bench.save(bench.edition)
        yield bench
    finally:
        down = [sys.executable, "-m", "chainctl.cli.main", "down", bench.name, "--target", target]
        subprocess.run(down, env=bench.environ, capture_output=True, check=False)
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _watched(bench: Bench) -> Iterator[tuple[Watched, Door]]:
    file = bench.directory / "chain" / CHAIN
    with (
        watching(file, bench.name, bench.target, bench.environ) as watched,
        closing(Door(bench.url)) as door,
    ):
        assert door.ask() == list(bench.edition.marks)
        yield watched, door


def _started(watched: Watched) -> float:
    """The seconds that Model's service took to start and to be ready, as the push told."""
    steps = [line.text for line in watched.lines if "-model-" in line.text and line.text.endswith(" s)")]
    return sum(float(step.rpartition("(")[2].split()[0]) for step in steps)


def _swaps(bench: Bench, watched: Watched, door: Door, count: int) -> Iterator[Timed]:
    """Edit bodies, one after the other; `__init__` must not run again, or it would take its 20 s."""
    for number in range(2, count + 2):
        threading.Event().wait(_SETTLE_SEC)
        yield _timed(bench, watched, door, bench.edition.swapped(number), _ANSWER_SEC)


def _heavy(bench: Bench, watched: Watched, door: Door, edition: Edition) -> Timed:
    threading.Event().wait(_SETTLE_SEC)
    if edition.marks == bench.edition.marks:  # what is installed can not be seen in answers, a body can
        edition = replace(edition, model=edition.model + 1000)
    return _timed(bench, watched, door, edition, _RENEW_SEC)


def _timed(bench: Bench, watched: Watched, door: Door, edition: Edition, within_sec: float) -> Timed:
    watched.skip()
    saved = bench.save(edition)
    bench.edition = edition
    try:
        answered = door.ask_until(edition.marks, within_sec)
    except AssertionError:
        print("\n".join(line.text for line in watched.lines), file=sys.stderr)
        raise
    told = watched.await_line(is_told, within_sec)
    return Timed(answered - saved, told.time - saved, told.text.strip())


def _loaded(bench: Bench, watched: Watched, number: int, fault: Fault | None) -> Edited:
    edition = bench.edition.broken(number, fault) if fault else bench.edition.edited(number)
    watched.skip()
    saved = bench.save(edition)
    told = watched.await_line(is_told, _RENEW_SEC)
    if fault is None:
        bench.edition = edition
    threading.Event().wait(_SETTLE_SEC)
    is_served = not told.text.startswith("not served")
    print(f"{bench.target} {number}: {fault or 'good'}: {told.text}", file=sys.stderr, flush=True)
    return Edited(number, edition.marks, saved, told.time, told.text, is_served, fault is None)


@contextmanager
def _callers(bench: Bench) -> Iterator[_Seen]:
    """Ask the chain all the time; what came of it can be read once the block has ended."""
    out = bench.directory / "seen"
    callers = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.watch_load", bench.url, str(out)], stdin=subprocess.PIPE, cwd=ROOT
    )
    try:
        yield _Seen(out)
    finally:
        assert callers.stdin is not None
        callers.stdin.close()
        callers.wait(60)


@dataclass(frozen=True)
class _Seen:
    """What callers wrote."""

    out: Path

    def __call__(self) -> list[Seen]:
        return [Seen.of(json.loads(line)) for line in self.out.read_text().splitlines()]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


if __name__ == "__main__":
    main(sys.argv[1:])
