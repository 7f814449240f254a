"""The pages that `chainctl explain` prints: one for each code, and what they show is so."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from chainctl.errors import Problem
from chainctl.sdk import config
from chainctl.sdk.frozen import FrozenModel
from tests.unit.graph.chain_corpus import child_environ
from tests.unit.graph.source_codes import ERROR_PAGES, codes_in_source

PAGES = sorted(ERROR_PAGES.glob("CH*.md"))
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)

# Shown by an interpreter that hangs or dies, by local runs, and by files that are rewritten.
_NOT_LOADED = {"CH0111", "CH0112", "CH0602", "CH1001", "CH1002", "CH1003", "CH1203"}

_SPEECH = "class Model:\n    def predict(self, inputs):\n        return inputs\n"

# Loads many small files one after the other in one interpreter, as the child loads one.
_LOAD_ALL = """
import json, sys
from pathlib import Path
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.child import examine

found = {}
for path in sorted(Path(sys.argv[1]).glob("*.py")):
    answer = examine(ChainFile.parse(str(path)), [])
    problems = answer.problems or answer.graph.warnings
    found[path.stem] = [p.code for p in problems]
print(json.dumps(found))
"""


def _blocks(page: Path) -> list[str]:
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def test_every_code_has_a_page() -> None:
    """The codes in the source are the codes that have a page."""
    assert {page.stem for page in PAGES} == codes_in_source()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_has_its_parts(page: Path) -> None:
    """A page has its title, a paragraph, an example and the corrected example."""
    text = page.read_text(encoding="utf-8")
    head, paragraph, *_ = text.split("\n\n")
    assert re.fullmatch(rf"# {page.stem}: \S.*", head)
    assert len(paragraph.splitlines()) == 1
    assert len(re.findall(r"^```\w+$", text, re.MULTILINE)) == 2
    assert "\nCorrected:\n" in text
    assert text.endswith("\n")


@pytest.mark.parametrize("page", [p for p in PAGES if _blocks(p)], ids=lambda page: page.stem)
def test_examples_are_true(page: Path) -> None:
    """The example shows the problem and no other, the corrected one shows none."""
    found = _found_in_examples()
    assert found[f"corrected_{page.stem}"] == []
    if page.stem not in _NOT_LOADED:
        assert set(found[f"shown_{page.stem}"]) == {page.stem}


@functools.cache
def _found_in_examples() -> Mapping[str, list[str]]:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "data").mkdir()
        (root / "speech" / "model").mkdir(parents=True)
        (root / "speech" / "config.yaml").touch()
        (root / "speech" / "model" / "model.py").write_text(_SPEECH, encoding="utf-8")
        for page in PAGES:
            for name, block in zip(("shown", "corrected"), _blocks(page), strict=False):
                if name == "corrected" or page.stem not in _NOT_LOADED:
                    (root / f"{name}_{page.stem}.py").write_text(block, encoding="utf-8")
        command = [sys.executable, "-P", "-c", _LOAD_ALL, str(root)]
        run = subprocess.run(command, capture_output=True, env=dict(child_environ()), check=True)
    found: dict[str, list[str]] = json.loads(run.stdout)
    return found


def test_configuration_page_lists_every_field() -> None:
    """The page of CH0503 names every field of every configuration value."""
    text = (ERROR_PAGES / "CH0503.md").read_text(encoding="utf-8")
    values = [v for v in vars(config).values() if isinstance(v, type) and issubclass(v, FrozenModel)]
    missing = [
        f"{value.__name__}.{name}"
        for value in values
        if value is not FrozenModel
        for name in value.model_fields
        if f"`{name}`" not in text
    ]
    assert missing == []


def test_problem_is_an_error_by_default() -> None:
    """A problem prints as one line with its place; a warning says that it is one."""
    problem = Problem("CH0305", "nothing can give `size`", "chain.py", 7)
    assert problem.is_error
    assert str(problem) == "chain.py:7: error[CH0305]: nothing can give `size`"
    warning = Problem("CH0206", "it is not reached", severity="warning")
    assert not warning.is_error
    assert str(warning) == "warning[CH0206]: it is not reached"
