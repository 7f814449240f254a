"""What the shell is told when Tab is pressed, and what is loaded for it."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from chainctl.cli.main import completed
from chainctl.cli.verbs import VERBS, Verb

HEAVY = {"docker", "jinja2", "pydantic", "requests", "rich", "typer"}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory in which three chains were recorded, one of them on two targets."""
    for chain in ("docker/hello", "docker/help", "local/hello", "local/rag"):
        (tmp_path / chain / "releases").mkdir(parents=True)
    return tmp_path


def complete(state: Path, words: str, *python: str) -> subprocess.CompletedProcess[str]:
    """Press Tab behind some words, in bash."""
    position = len(words.split()) - (not words.endswith(" "))
    environ = {
        "_CHAINCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(position),
        "CHAINCTL_STATE_DIR": str(state),
        "HOME": str(state),
    }
    command = [sys.executable, *python, "-m", "chainctl.cli.main"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("chainctl do", ["down", "doctor"]),
        ("chainctl ", list(VERBS)),
        ("chainctl zzz", []),
        ("chainctl down ", ["hello", "help", "rag"]),
        ("chainctl logs hel", ["hello", "help"]),
        ("chainctl call zzz", []),
        ("chainctl down --target local h", ["hello", "help"]),
        ("chainctl down --ta", ["--target"]),
        ("chainctl init --template ", ["hello", "pipeline", "stub"]),
    ],
)
def test_names_are_completed(state: Path, words: str, names: list[str]) -> None:
    """Verbs, recorded chains (each once), options and templates."""
    assert complete(state, words).stdout.split() == names


@pytest.mark.parametrize("words", ["chainctl d", "chainctl down h"])
def test_completion_loads_nothing_heavy(state: Path, words: str) -> None:
    """Not even the framework: the shell waits for the answer."""
    lines = complete(state, words, "-X", "importtime").stderr.splitlines()
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert loaded & HEAVY == set()
    assert "chainctl" in loaded


@pytest.mark.parametrize("verb", [v for v in VERBS.values() if not v.actions], ids=lambda verb: verb.name)
def test_the_table_knows_whose_first_argument_is_a_chain(verb: Verb) -> None:
    """It must agree with the function, which is not loaded to complete."""
    function = getattr(importlib.import_module(verb.module), verb.function)
    assert verb.takes_chain == (next(iter(inspect.signature(function).parameters), "") == "chain")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"_CHAINCTL_COMPLETE": "complete_zsh", "COMP_CWORD": "1", "COMP_WORDS": "chainctl d"},
        {"_CHAINCTL_COMPLETE": "complete_bash", "COMP_CWORD": "1", "COMP_WORDS": "chainctl -"},
        {"_CHAINCTL_COMPLETE": "complete_bash", "COMP_CWORD": "2", "COMP_WORDS": "chainctl push "},
        {"_CHAINCTL_COMPLETE": "complete_bash", "COMP_CWORD": "3", "COMP_WORDS": "chainctl down a "},
        {"_CHAINCTL_COMPLETE": "complete_bash"},
    ],
)
def test_the_rest_is_left_to_the_framework(environ: dict[str, str]) -> None:
    """Other shells, options, files."""
    assert completed(environ) is None
