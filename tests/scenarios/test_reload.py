"""`run-local --reload`: after an edit the chain serves what the files say; until then what they said."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.conftest import Chainctl
from tests.scenarios.local_run import asked, free_port, local_run

CHAIN = """\
import os

import chainctl as chains
from words import WORD


class Leaf(chains.ChainletBase):
    def __init__(self) -> None:
        self._pid = os.getpid()

    async def run_remote(self) -> int:
        return self._pid


@chains.mark_entrypoint
class Front(chains.ChainletBase):
    def __init__(self, leaf: Leaf = chains.depends(Leaf)) -> None:
        self._leaf = leaf

    async def run_remote(self) -> str:
        return f"{WORD} {await self._leaf.run_remote()}"
"""


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A chain of two files."""
    (tmp_path / "words.py").write_text('WORD = "one"\n')
    (tmp_path / "chain.py").write_text(CHAIN)
    return tmp_path / "chain.py"


@pytest.mark.parametrize("fidelity", ["inline", "process"])
def test_edits_are_served_and_broken_ones_are_not(fidelity: str, chainctl: Chainctl, chain: Path) -> None:
    """A broken edit is told with its place, and the chain goes on; the next good one is served."""
    words = chain.parent / "words.py"
    arguments = (str(chain), "--reload", "--fidelity", fidelity, "--port", str(free_port()))
    with local_run(chainctl, *arguments) as run:
        url = run.url()
        assert asked(url).startswith("one ")
        words.write_text("WORD = (\n")
        run.await_said("CH0102", "words.py:1", "The chain goes on as it was before the edit.")
        assert asked(url).startswith("one ")
        other = words.with_suffix(".new")
        other.write_text('WORD = "two"\n')
        other.replace(words)
        run.await_said("The chain serves what was edited.")
        assert asked(url).startswith("two ")
    assert run.process.returncode == 130


@pytest.mark.parametrize("fidelity", ["inline", "process"])
def test_a_failing_init_leaves_what_serves(fidelity: str, chainctl: Chainctl, chain: Path) -> None:
    """The new code cannot start; no request fails, also not while it tries."""
    arguments = (str(chain), "--reload", "--fidelity", fidelity, "--port", str(free_port()))
    answers: list[str] = []
    is_over = threading.Event()

    def ask_on(url: str) -> None:
        while not is_over.is_set():
            answers.append(asked(url))

    with local_run(chainctl, *arguments) as run:
        url = run.url()
        asking = threading.Thread(target=ask_on, args=[url])
        asking.start()
        chain.write_text(CHAIN.replace("self._pid = os.getpid()", "self._pid = 1 // 0"))
        run.await_said("ZeroDivisionError", "The chain goes on as it was before the edit.")
        is_over.set()
        asking.join(60)
        assert asked(url).startswith("one ")
    assert answers
    assert all(answer.startswith("one ") for answer in answers)


def test_only_what_was_touched_starts_anew(chainctl: Chainctl, chain: Path) -> None:
    """An edit of a file that one chainlet's image has alone does not restart the others."""
    chain.write_text(CHAIN.replace("from words import WORD\n", "").replace('f"{WORD} ', 'f"one '))
    (chain.parent / "leaf.py").write_text(chain.read_text().partition("@chains.mark_entrypoint")[0])
    front = "import chainctl as chains\nfrom leaf import Leaf\n\n\n" + (
        "@chains.mark_entrypoint" + chain.read_text().partition("@chains.mark_entrypoint")[2]
    )
    chain.write_text(front)
    arguments = (str(chain), "--reload", "--fidelity", "process", "--port", str(free_port()))
    with local_run(chainctl, *arguments) as run:
        url = run.url()
        before = asked(url)
        chain.write_text(front.replace('f"one ', 'f"two '))
        run.await_said("The chain serves what was edited.")
        assert asked(url) == before.replace("one", "two")


def test_once_and_again_do_not_go_together(chainctl: Chainctl, chain: Path) -> None:
    """`--reload` serves."""
    done = chainctl("run-local", str(chain), "--reload", "--input", "{}", expect=2)
    assert "`--reload` serves" in done.stderr
