"""`chainctl test`: a chain's own tests against what a push would ship, on each target."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Chainctl, await_condition
from tests.scenarios.local_run import free_port
from tests.scenarios.pushed_chain import TARGETS

CHAIN = """\
import chainctl as chains


class Half(chains.ChainletBase):
    def run_remote(self, number: int) -> float:
        return number / 2


@chains.mark_entrypoint("t-tested")
class Double(chains.ChainletBase):
    def run_remote(self, number: int) -> int:
        return 2 * number
"""
SETTINGS = 'api_key_secret = "t_key"\nport = {port}\n'
TESTS = """\
import os

from chain import Half


def test_double(chain):
    with chain("chain.py") as running:
        assert running.fidelity == "deployed"
        assert running.url == os.environ["CHAINCTL_TEST_URL"]
        assert running.run_remote(2) == {answer}


def test_inline(chain):
    with chain("chain.py", fidelity="inline") as running:
        assert running.run_remote(2) == 4


def test_half(chain):
    with chain(Half) as running:
        assert running.run_remote(2) == 1
"""
ENDLESS = """\
import pathlib
import threading

import pytest

HERE = pathlib.Path(__file__).parent


@pytest.fixture
def tidy():
    yield
    (HERE / "tidied").touch()


def test_endless(chain, tidy):
    (HERE / "began").touch()
    threading.Event().wait(100)
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
    """The very same images, beside what serves; what was brought up for it is gone afterwards.

    The exit code is true. Tests of what is not deployed are skipped. A key that callers must send is sent.
    """
    tests = project / "test_chain.py"
    (project / "chainctl.toml").write_text(SETTINGS.format(port=free_port()))
    there = Chainctl({**chainctl.environ, "CHAINCTL_SECRET_T_KEY": "open"}, project)

    def tested(answer: int, code: int) -> tuple[str, str]:
        tests.write_text(TESTS.format(answer=answer))
        done = there("test", "chain.py", "--target", target, "--", "-q", "-rs", expect=code, timeout=600)
        return done.stdout, done.stderr

    said, progress = tested(4, 0)
    assert "1 passed, 2 skipped" in said
    assert "chain.py:Half` deploys Half" in said
    if target == "local":  # an engine may have the image from before
        assert "Double: building t-tested/double:" in progress
    assert names(chainctl, target) == []
    pushed = json.loads(there("push", "chain.py", "--target", target, "--json", timeout=600).stdout)
    try:
        assert pushed["built"] == []
        said, progress = tested(5, 1)
        assert "1 failed, 2 skipped" in said
        assert "building" not in progress
        assert names(chainctl, target) == ["t-tested"]
    finally:
        there("down", "t-tested", "--target", target)


def test_what_kept_tests_from_running_is_told(chainctl: Chainctl, project: Path) -> None:
    """A test file that can not be imported is no interruption."""
    (project / "test_chain.py").write_text("import nowhere_at_all\n")
    there = Chainctl(chainctl.environ, project)
    done = there("test", "chain.py", "--target", "local", expect=1)
    assert "error: pytest broke off before it had run all tests" in done.stderr
    assert names(chainctl, "local") == []


def test_a_termination_interrupts_the_tests(chainctl: Chainctl, project: Path) -> None:
    """Once: they tidy up, and the chain is taken down."""
    (project / "test_chain.py").write_text(ENDLESS)
    command = [*Chainctl.COMMAND, "test", "chain.py", "--target", "local", "-q"]
    with subprocess.Popen(command, env=dict(chainctl.environ), cwd=project, stdout=subprocess.DEVNULL) as run:
        await_condition(lambda: run.poll() is not None or (project / "began").exists(), seconds=120)
        run.terminate()
        assert run.wait(timeout=120) == 130
    assert (project / "tidied").exists()
    assert names(chainctl, "local") == []


def test_a_chain_without_tests_is_told(chainctl: Chainctl, project: Path) -> None:
    """And what tests look like is where the hint says."""
    there = Chainctl(chainctl.environ, project)
    done = there("test", "chain.py", "--target", "local", expect=2)
    assert "no test ran against the chain" in done.stderr
    assert names(chainctl, "local") == []


def test_a_chain_that_does_not_start_leaves_nothing(chainctl: Chainctl, project: Path) -> None:
    """The exit code is that of the push."""
    (project / "chain.py").write_text(CHAIN + "\n    def __init__(self):\n        raise RuntimeError('no')\n")
    there = Chainctl(chainctl.environ, project)
    done = there("test", "chain.py", "--target", "local", expect=5)
    assert "RuntimeError" in done.stderr
    assert names(chainctl, "local") == []
