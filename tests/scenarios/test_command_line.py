"""What the command line says of names that nothing has, and of files that are not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Chainctl

HELLO = "examples/hello/chain.py"


def test_a_chain_that_does_not_run_is_named(chainctl: Chainctl) -> None:
    """The list is empty, and stderr says why; nothing is said of a list of all."""
    done = chainctl("ps", "helo", "--target", "local", "--json")
    assert json.loads(done.stdout)["chains"] == []
    assert done.stderr == "There is no chain called helo here.\n"
    assert chainctl("ps", "--target", "local").stderr == ""


@pytest.mark.parametrize("verb", [("plan", "--target", "local"), ("run-local", "--input", '{"names": []}')])
def test_a_secrets_file_that_is_not_there_is_said(verb: tuple[str, ...], chainctl: Chainctl) -> None:
    """Also for a chain that needs no secret."""
    name, *options = verb
    done = chainctl(name, HELLO, *options, "--secrets", "absent.env", expect=2)
    assert done.stdout == ""
    assert "'absent.env' does not exist" in done.stderr


def test_no_file_at_all_is_the_working_directory(chainctl: Chainctl) -> None:
    """An empty variable in a script gives an empty argument."""
    assert ". is a directory" in chainctl("check", "", expect=3).stderr


def test_a_run_that_does_not_start_names_no_log(chainctl: Chainctl, tmp_path: Path) -> None:
    """The chain of `run-local` is gone when its error is read: what it wrote is printed instead."""
    (tmp_path / "chain.py").write_text(
        "import chainctl as chains\n\n\n"
        "class Broken(chains.ChainletBase):\n"
        "    def __init__(self) -> None:\n"
        '        raise RuntimeError("cannot start")\n\n'
        "    def run_remote(self) -> int:\n"
        "        return 1\n"
    )
    done = chainctl(
        "run-local", str(tmp_path / "chain.py"), "--input", "{}", "--fidelity", "process", expect=5
    )
    assert done.stdout == ""
    assert "RuntimeError: cannot start" in done.stderr
    assert "hint:" not in done.stderr
