"""A run of the tests by several workers in; which tests go one after another, and which alone, out.

Tests of the engine wait more than they work, and share its room: they go in two rows, those of the adapters and
those of whole chains, each of which one worker runs from its beginning to its end. Both begin with them and take
the other tests afterwards. A test that is marked `alone` runs while no other does: it measures time, or gives a
port up for a moment, which is the lowest free one for others.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

_PLACE = "chainctl_turns"
_ADAPTERS = "tests/docker/"
_ROWS = ("adapters on the engine", "chains on the engine")


def take_turns(config: pytest.Config) -> None:
    """Let the workers of a run take turns. Without workers nothing changes."""
    told = getattr(config, "workerinput", None)
    config.pluginmanager.register(Rows() if told is None else Turns(Path(told[_PLACE])))


class Rows:
    """Beside the workers: makes the scheduler, and a directory in which the workers of this run find each other."""

    def __init__(self) -> None:
        self._directory = TemporaryDirectory(prefix="chainctl-turns-")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: WorkerController) -> None:
        """Tell a worker where the directory is."""
        node.workerinput[_PLACE] = self._directory.name

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> EngineInRows:
        """Keep the order of the tests, in which those of the engine come first."""
        config.option.loadscopereorder = False
        return EngineInRows(config, log, _listed(Path(self._directory.name)))

    def pytest_unconfigure(self) -> None:
        self._directory.cleanup()


class EngineInRows(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives each row of tests of the engine to one worker, and the others file by file to whoever is free."""

    def __init__(self, config: pytest.Config, log: Producer, listed: Path) -> None:
        super().__init__(config, log)
        self._listed = listed
        self._rows: Mapping[str, str] = {}

    def schedule(self) -> None:
        """Read the list, which is whole when all workers have collected."""
        if not self._listed.exists():
            raise pytest.UsageError("the workers refuse to run the tests: `pytest --collect-only` says why")
        if self.collection is None:
            self._rows = json.loads(self._listed.read_text(encoding="utf-8"))
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return self._rows.get(nodeid, nodeid.partition("::")[0])


class Turns:
    """In a worker: puts the tests of the engine first, and waits before each test until it may begin."""

    def __init__(self, place: Path) -> None:
        self._listed, self._gate, self._floor = _listed(place), place / "gate", place / "floor"

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the tests of the engine first, row by row, and write down in which each is."""
        engine = [item for item in items if item.get_closest_marker("docker")]
        others = [item for item in items if not item.get_closest_marker("docker")]
        rows = {item.nodeid: _ROWS[not item.nodeid.startswith(_ADAPTERS)] for item in engine}
        items[:] = [*sorted(engine, key=lambda item: _ROWS.index(rows[item.nodeid])), *others]
        self._listed.write_text(json.dumps(rows), encoding="utf-8")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Run a test with its fixtures when it is its turn."""
        with self.turn(is_alone=item.get_closest_marker("alone") is not None):
            return (yield)

    @contextmanager
    def turn(self, *, is_alone: bool) -> Iterator[None]:
        """Wait until no test runs alone, or, to run alone, until none runs at all.

        Whoever waits for the floor holds the gate, so that tests which come later do not slip in before it.
        """
        with _opened(self._floor) as floor, _opened(self._gate) as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(floor, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
            fcntl.flock(gate, fcntl.LOCK_UN)
            try:
                yield
            finally:
                fcntl.flock(floor, fcntl.LOCK_UN)  # a process that a test left behind may have it open, too


def _listed(place: Path) -> Path:
    """Where a worker that has collected writes the names of the engine's tests."""
    return place / "engine"


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
