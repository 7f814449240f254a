"""Any text as a config.yaml: a value, or problems; never anything else."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainctl.errors import ChainDefinitionError, Problem
from chainctl.graph.truss_directory import TrussDirectory, read_directory
from chainctl.graph.truss_directory.keys import (
    BUILD,
    DOCKER_SERVER,
    EXTERNAL_DATA,
    MODEL_CACHE,
    RESOURCES,
    RUNTIME,
    TOP,
)
from chainctl.graph.truss_directory.kinds import Key
from chainctl.sdk.config import RemoteConfig
from tests.unit.graph.truss_directory.directories import directory_at

_KEYS = sorted({*TOP, *RESOURCES, *RUNTIME, *BUILD, *DOCKER_SERVER, *EXTERNAL_DATA, *MODEL_CACHE})
_PIECES = st.sampled_from([
    *_KEYS, *"{}[]:,&*!|>'\"%@`#?-\\~= \n\t\r\0\x85\u2028\ufeff\ud800", ": ", "\n  ", "- ", "&a ", "*a", "<<: ",
    "!!", "!!int ", "!!float ", "!!bool ", "!!timestamp ", "!!binary ", "!!set ", "!!python/name:os.system ",
    "yes", "null", "1e999", "0x" + "f" * 30, "9" * 50, "1:2:3", ".inf", ".nan", "2024-99-99", "017", "1_000", "-1",
    '"\\U7fffffff"', '"\\ud800"', "%YAML 1.1\n---\n", "%TAG ! x\n", "---\n", "...\n", "4Gi", "L4:4", "500m", "1.5",
    "https://a/b", "a/b", "../..", "x" * 300,
])  # fmt: skip
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(["1", "500m", "2Gi", "L4:4", "py311", "https://a/b", "a/b", "../x", "x" * 5000, "\0", "http"]),
)  # fmt: skip
_NAMES = st.one_of(st.sampled_from(_KEYS), st.text(string.ascii_letters, max_size=3))
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=5),
    max_leaves=12,
)
_NESTED = {
    "resources": RESOURCES, "runtime": RUNTIME, "build": BUILD, "docker_server": DOCKER_SERVER,
    "external_data": EXTERNAL_DATA, "model_cache": MODEL_CACHE,
}  # fmt: skip


def _written(name: str, keys: Mapping[str, Key]) -> st.SearchStrategy[dict[str, object]]:
    """A section, or a list of such, that has some of its keys."""
    some = st.dictionaries(st.sampled_from(sorted(keys)), _SCALARS)
    return st.fixed_dictionaries({name: some | st.lists(some, max_size=2)})


_SECTIONS = st.one_of([_written(name, keys) for name, keys in _NESTED.items()])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory, whose configuration each example writes anew."""
    return directory_at(tmp_path_factory.mktemp("hostile"))


def _require_value_or_problems(root: Path, config: str | bytes) -> None:
    directory_at(root, config)
    found = _read(root)
    if isinstance(found, ChainDefinitionError):
        assert any(problem.is_error for problem in found.problems)
        assert all(problem.path and problem.code for problem in found.problems)
        _require_readable(found.problems)
        return
    assert not any(problem.is_error for problem in found.warnings)
    _require_readable(found.warnings)
    assert json.loads(json.dumps(found.config).encode()) == found.config
    written = json.loads(found.remote_config.model_dump_json(exclude_unset=True))
    assert RemoteConfig.from_json(written) == found.remote_config


def _require_readable(problems: Sequence[Problem]) -> None:
    """A message is one line that can be printed, says how to go on, and points at something."""
    for problem in problems:
        assert problem.message.isprintable(), problem.message
        assert problem.help, problem.message
        assert not problem.end_column or problem.column <= problem.end_column


def _read(root: Path) -> TrussDirectory | ChainDefinitionError:
    try:
        return read_directory(root)
    except ChainDefinitionError as error:
        return error


_CALM = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@_CALM
@given(st.binary(max_size=200))
def test_any_bytes(root: Path, content: bytes) -> None:
    """Whatever a file holds."""
    _require_value_or_problems(root, content)


@_CALM
@given(st.lists(_PIECES, max_size=40).map("".join))
def test_pieces_of_yaml(root: Path, text: str) -> None:
    """Texts that look like YAML, in which anything may stand anywhere."""
    _require_value_or_problems(root, text)


@_CALM
@given(st.dictionaries(_NAMES, _VALUES, max_size=6) | _SECTIONS)
def test_values_of_any_kind(root: Path, values: dict[str, object]) -> None:
    """Well-formed texts, whose values are of any kind at any key. JSON is YAML, but for some characters."""
    _require_value_or_problems(root, json.dumps(values))
