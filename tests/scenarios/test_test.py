"""`chainctl test`: a chain's own tests against what a push would ship, on each target."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Chainctl
from tests.scenarios.pushed_chain import TARGETS

CHAIN = """\
import chainctl as chains


@chains.mark_entrypoint("t-tested")
class Double(chains.ChainletBase):
    def run_remote(self, number: int) -> int:
        return 2 * number
"""
TESTS = """\
import os


def test_double(chain):
    with chain("chain.py") as running:
        assert running.fidelity == "deployed"
        assert running.url == os.environ["CHAINCTL_TEST_URL"]
        assert running.run_remote(2) == {answer}


def test_inline(chain):
    with chain("chain.py", fidelity="inline") as running:
        assert running.run_remote(2) == 4
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with a chain file."""
    (tmp_path / "chain.py").write_text(CHAIN)
    return tmp_path


def names(chainctl: Chainctl, target: str) -> list[str]:
    shown = json.loads(chainctl("ps", "--target", target, "--json").stdout)["chains"]
    return [one["chain"] for one in shown if one["chain"].startswith("t-tested")]


@pytest.mark.parametrize("target", TARGETS)
def test_tests_run_against_what_is_pushed(chainctl: Chainctl, project: Path, target: str) -> None:
    """Which is gone afterwards, whether they pass or fail; the exit code is true."""
    tests = project / "test_chain.py"
    for answer, code, said in ((4, 0, "1 passed, 1 skipped"), (5, 1, "1 failed, 1 skipped")):
        tests.write_text(TESTS.format(answer=answer))
        there = Chainctl(chainctl.environ, project)
        done = there("test", "chain.py", "--target", target, "--", "-q", expect=code, timeout=600)
        assert said in done.stdout
        assert names(chainctl, target) == []


def test_a_chain_without_tests_is_told(chainctl: Chainctl, project: Path) -> None:
    """And what tests look like is where the hint says."""
    there = Chainctl(chainctl.environ, project)
    done = there("test", "chain.py", "--target", "local", expect=2)
    assert "no test was found" in done.stderr
    assert names(chainctl, "local") == []


def test_a_chain_that_does_not_start_leaves_nothing(chainctl: Chainctl, project: Path) -> None:
    """The exit code is that of the push."""
    (project / "chain.py").write_text(CHAIN + "\n    def __init__(self):\n        raise RuntimeError('no')\n")
    there = Chainctl(chainctl.environ, project)
    done = there("test", "chain.py", "--target", "local", expect=5)
    assert "RuntimeError" in done.stderr
    assert names(chainctl, "local") == []
