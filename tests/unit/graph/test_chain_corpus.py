"""Every file under tests/chains, loaded in the child interpreter as the command line does it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from chainctl.graph.graph import ChainGraph
from tests.unit.graph.chain_corpus import BROKEN, CHAINS, GOOD, chain_files, expected, found_in, loaded
from tests.unit.graph.source_codes import codes_in_source

# Reported when images are planned, chains are run here or files are rewritten, not when a chain is loaded.
_REPORTED_ELSEWHERE = {"CH0504", "CH0512", "CH0602", "CH1203"}
_OF_TRUSS_DIRECTORIES = {"CH1205", "CH1206", "CH1207", "CH1208", "CH1209"}


@pytest.mark.parametrize("name", chain_files(BROKEN))
def test_broken_chain(name: str) -> None:
    """A broken file shows exactly the problems that its head announces, at these lines."""
    assert found_in(BROKEN, name) == expected(BROKEN, name)


@pytest.mark.parametrize("name", chain_files(GOOD))
def test_good_chain(name: str) -> None:
    """A good file loads with no problem, not even a warning, and gives a graph."""
    assert found_in(GOOD, name) == []
    assert loaded(GOOD, name).graph is not None


def test_corpus_announces_something() -> None:
    """No broken file lacks its expectation, and no good file has one."""
    assert [name for name in chain_files(BROKEN) if not expected(BROKEN, name)] == []
    assert [name for name in chain_files(GOOD) if expected(GOOD, name)] == []


def test_corpus_covers_every_code() -> None:
    """Each code that loading a chain can report has a file that shows it."""
    shown = {finding.code for name in chain_files(BROKEN) for finding in expected(BROKEN, name)}
    elsewhere = _REPORTED_ELSEWHERE | _OF_TRUSS_DIRECTORIES
    assert shown == {c for c in codes_in_source() if not c.startswith(("CH08", "CH10"))} - elsewhere


@pytest.mark.parametrize("name", chain_files(BROKEN))
def test_problem_is_readable(name: str) -> None:
    """A message is one line without addresses in memory, says how to go on, and points into its line."""
    found = loaded(BROKEN, name)
    for problem in found.problems or (found.graph.warnings if found.graph else ()):
        assert "\n" not in problem.message
        assert " at 0x" not in problem.message
        assert problem.help
        if problem.line and problem.end_column:
            line = Path(problem.path).read_text(encoding="utf-8").split("\n")[problem.line - 1]
            assert 1 <= problem.column < problem.end_column <= len(line) + 1


@pytest.mark.parametrize(
    "name", ["diamond.py", "future_forward_references.py", "package/chain_in_package.py"]
)
def test_golden_graph(golden: Callable[[str, str], None], name: str) -> None:
    """The graph of a chain, as JSON, is what it was."""
    graph = loaded(GOOD, name).graph
    assert graph is not None
    found = _relative(json.loads(TypeAdapter(ChainGraph).dump_json(graph)))
    golden(f"graph/{Path(name).stem}.json", json.dumps(found, indent=2) + "\n")


def _relative(value: Any) -> Any:
    """Replace the place of this checkout in all texts."""
    if isinstance(value, dict):
        return {key: _relative(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_relative(item) for item in value]
    return value.replace(str(CHAINS), "/chains") if isinstance(value, str) else value


def test_files_of_a_chain() -> None:
    """A chain's files are those that it loads, imports lazily or names (a directory with all in it)."""
    assert _files("data_files.py") == [
        "data/names.csv",
        "data/prompt.txt",
        "data/requirements.txt",
        "data_files.py",
    ]
    assert _files("lazy_helper.py") == ["lazy_helper.py", "parts/tensors.py"]
    assert _files("diamond.py") == ["diamond.py"]
    assert _files("package/chain_in_package.py") == [
        "package/__init__.py",
        "package/chain_in_package.py",
        "package/parts/__init__.py",
        "package/parts/factors.json",
        "package/parts/measure.py",
        "package/parts/rounding.py",
        "package/parts/shapes.py",
    ]


def _files(name: str) -> list[str]:
    graph = loaded(GOOD, name).graph
    assert graph is not None
    return [ref.path for ref in graph.chainlet(graph.entrypoint).files]


def test_entrypoint_and_names() -> None:
    """The mark names the chain; a chain without a name is called like its entrypoint."""
    names = {
        name: (graph.chain, graph.entrypoint)
        for name in ("diamond.py", "string_dependency.py", "shared_base.py", "with-dash.py")
        if (graph := loaded(GOOD, name).graph)
    }
    assert names == {
        "diamond.py": ("Diamond", "Main"),
        "string_dependency.py": ("Main", "Main"),
        "shared_base.py": ("worker", "worker"),
        "with-dash.py": ("A", "A"),
    }


def test_defaults_are_in_the_schema() -> None:
    """The input schema shows the function's own defaults in the form that they have in JSON."""
    graph = loaded(GOOD, "default_values.py").graph
    assert graph is not None
    schema = graph.chainlets[0].input_schema
    assert "required" not in schema
    defaults = {name: spec.get("default") for name, spec in schema["properties"].items()}
    assert {n: d for n, d in defaults.items() if n not in "fg"} == {
        "a": 1,
        "b": ["x"],
        "c": "_w==",
        "d": {"size": 3},
        "e": "2024-02-29",
    }
