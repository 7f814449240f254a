"""Workers take turns: tests of the engine in a row, those that measure time alone."""

from __future__ import annotations

import fcntl
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import ROOT, await_condition
from tests.turns import Turns

pytest_plugins = ["pytester"]
CONFTEST = """
import json, os, time
import pytest
from tests.turns import take_turns

def pytest_configure(config):
    take_turns(config)

@pytest.fixture
def recorded(request):
    began = time.monotonic()
    yield
    line = json.dumps([request.node.name, os.environ["PYTEST_XDIST_WORKER"], began, time.monotonic()])
    with open("record", "a") as record:
        record.write(line + "\\n")
"""
TESTS = """
import threading
import pytest

pytestmark = pytest.mark.usefixtures("recorded")

@pytest.mark.parametrize("n", range(20))
def test_plain(n):
    threading.Event().wait(0.01)

@pytest.mark.parametrize("n", range(5))
@pytest.mark.docker
def test_NAME(n):
    assert n != 4

@pytest.mark.parametrize("n", range(3))
@pytest.mark.alone
def test_alone(n):
    threading.Event().wait(0.05)
"""


def test_two_workers(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row of tests of the engine has one worker, and is in order; nothing runs beside those that are alone."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_whole=TESTS.replace("NAME", "chain"))
    (pytester.mkdir("tests") / "docker").mkdir()
    (pytester.path / "tests/docker/test_part.py").write_text(TESTS.replace("NAME", "adapter"))
    pytester.makeini("[pytest]\nmarkers =\n    docker: x\n    alone: x\n")
    result = pytester.runpytest_subprocess("-n", "2", "-rf")
    result.assert_outcomes(passed=54, failed=2)
    result.stdout.fnmatch_lines_random(
        [f"FAILED {name}?4? - assert 4 != 4" for name in ("test_whole.py::test_chain", "*::test_adapter")]
    )
    lines = [json.loads(line) for line in Path(pytester.path, "record").read_text().splitlines()]
    rows = {}
    for row in ("test_adapter", "test_chain"):
        engine = [(name, worker) for name, worker, _, _ in lines if name.startswith(row)]
        assert [name for name, _ in engine] == [f"{row}[{n}]" for n in range(5)]
        (rows[row],) = {worker for _, worker in engine}
    assert len(set(rows.values())) == 2
    for name, _, began, ended in lines:
        if name.startswith("test_alone"):
            assert [n for n, _, b, e in lines if b < ended and began < e] == [name]


def test_whoever_wants_to_be_alone_is_not_overtaken(tmp_path: Path) -> None:
    """Tests that come later wait until it has had its turn; those that run may run side by side."""
    turns = Turns(tmp_path)
    told: list[str] = []

    def take(name: str, is_alone: bool) -> None:
        with turns.turn(is_alone=is_alone):
            told.append(name)

    with ThreadPoolExecutor() as pool:
        with turns.turn(is_alone=False), turns.turn(is_alone=False):
            alone = pool.submit(take, "alone", True)
            await_condition(lambda: _is_held(tmp_path / "gate"), seconds=10)
            later = pool.submit(take, "later", False)
            assert told == []
        alone.result(10)
        later.result(10)
    assert told == ["alone", "later"]


def _is_held(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
