"""What is written about Truss directories is so."""

from __future__ import annotations

import re
import types
from pathlib import Path

import pytest

from chainctl.errors import ChainDefinitionError
from chainctl.graph.truss_directory import keys, model_problems, read_directory
from tests.unit.graph.source_codes import ERROR_PAGES
from tests.unit.graph.truss_directory.directories import directory_at, problems

_PAGE = (ERROR_PAGES.parent / "truss-directories.md").read_text(encoding="utf-8")
_SECTIONS = {
    name: value for name, value in vars(keys).items() if isinstance(value, dict) and name not in ("RENAMED",)
}


def _blocks(code: str) -> tuple[str, str]:
    text = (ERROR_PAGES / f"{code}.md").read_text(encoding="utf-8")
    shown, corrected = re.findall(r"^```\w+\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return shown, corrected


def test_the_page_lists_every_key() -> None:
    """Of the top and of every section."""
    missing = [
        f"{section}.{name}"
        for section, known in _SECTIONS.items()
        if not section.startswith("_")
        for name in known
        if f"`{name}`" not in _PAGE
    ]
    assert missing == []


@pytest.mark.parametrize("code", ["CH1205", "CH1206", "CH1207", "CH1209"])
def test_examples_of_configurations_are_true(tmp_path: Path, code: str) -> None:
    """The example shows the problem and no other, the corrected one shows none."""
    shown, corrected = _blocks(code)
    directory_at(tmp_path)
    (tmp_path / "requirements.txt").touch()
    assert {p.code for p in problems(tmp_path, shown)} == {code}
    assert problems(tmp_path, corrected) == []


def test_examples_of_models_are_true(tmp_path: Path) -> None:
    """The same for the class of a model."""
    shown, corrected = _blocks("CH1208")
    directory = read_directory(directory_at(tmp_path))
    assert {p.code for p in model_problems(_model(shown), directory)} == {"CH1208"}
    assert model_problems(_model(corrected), directory) == []


def _model(text: str) -> object:
    module = types.ModuleType("model")
    exec(text, vars(module))
    return vars(module)["Model"]


def test_nothing_but_a_definition_error_is_raised_for_a_place_that_is_none(tmp_path: Path) -> None:
    """A file, or a directory that nobody may read, is told like all else."""
    (tmp_path / "file").touch()
    with pytest.raises(ChainDefinitionError):
        read_directory(tmp_path / "file")
