"""How long many chainlets take, as a ratio to one, measured in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Chainctl
from tests.scenarios.local_run import free_port, local_run

TIMES = 3
CHECK_BOUND = 3.0
READY_BOUND = 2.0

_HEAD = "import threading\n\nimport chainctl as chains\n"
_LEAF = """

class C0(chains.ChainletBase):
    def __init__(self) -> None:
        threading.Event().wait({wait})

    async def run_remote(self, text: str) -> str:
        return text
"""
_CALLER = """

class C{number}(chains.ChainletBase):
    def __init__(self, below: C{below} = chains.depends(C{below})) -> None:
        self._below = below

    async def run_remote(self, text: str) -> str:
        return await self._below.run_remote(text)
"""


def chain_of(directory: Path, count: int, wait: float = 0) -> str:
    """A chain file with so many chainlets in a row; the last one called takes some seconds to start."""
    callers = "".join(_CALLER.format(number=n, below=n - 1) for n in range(1, count))
    file = directory / f"chain{count}.py"
    file.write_text(_HEAD + _LEAF.format(wait=wait) + callers)
    return f"{file}:C{count - 1}"


def ratio(one: Callable[[], object], many: Callable[[], object]) -> float:
    """The median time of the second by that of the first; they take turns on a machine that may be busy."""
    took: dict[Callable[[], object], list[float]] = {one: [], many: []}
    for work in (one, many) * TIMES:
        began = time.monotonic()
        work()
        took[work].append(time.monotonic() - began)
    return statistics.median(took[many]) / statistics.median(took[one])


@pytest.mark.alone
@pytest.mark.slow
def test_a_check_of_a_hundred_chainlets_takes_hardly_longer(chainctl: Chainctl, tmp_path: Path) -> None:
    """At most three times as long as that of one."""
    one, many = chain_of(tmp_path, 1), chain_of(tmp_path, 100)
    assert ratio(lambda: chainctl("check", one), lambda: chainctl("check", many)) < CHECK_BOUND


@pytest.mark.alone
@pytest.mark.slow
def test_five_processes_start_side_by_side(chainctl: Chainctl, tmp_path: Path) -> None:
    """The chain is ready in at most twice the time of its slowest chainlet."""

    def serving(file: str) -> Callable[[], object]:
        def work() -> None:
            with local_run(chainctl, file, "--fidelity", "process", "--port", str(free_port())) as run:
                run.url()

        return work

    assert ratio(serving(chain_of(tmp_path, 1, 2)), serving(chain_of(tmp_path, 5, 2))) < READY_BOUND
