"""The hash of a component: what changes it, and what does not, in other processes too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import chainctl

FILE = """
from __future__ import annotations

import enum
import typing as t

import {helper} as helper
from chainctl import Component, trigger

LIMIT = 3
LOG: list[str] = []
NAMES = frozenset(["a", "b", "c"])


class Mode(enum.Enum):
    FAST = "fast"


def shout(text: str, mark: str = "!") -> str:
    LOG.append(text)
    return helper.upper(text) + mark * LIMIT


def closing(count: int) -> t.Callable[[], int]:
    return lambda: count


class Base(Component):
    GREETING = "hello"

    @trigger("apply")
    def start(self) -> str:
        # say it
        if self.identifier in {{"x", "y", "z"}}:
            return "odd"
        return shout(self.GREETING) if self.identifier in NAMES else str(Mode.FAST)


class Notify(Base):
    channel: str
    render: t.Callable[[], int] | None = None
    tags: t.Any = None

    @trigger("apply", depends_on=["start"], requires="render")
    def detail(self) -> t.Any:
        from {helper} import lower

        return [lower(self.channel) for _ in range(2)]

    @trigger("apply", depends_on="start")
    def after(self) -> None: ...


notify = Notify("ops", channel="#ops", render=closing(2), tags={{"a", "b", ("c", frozenset("xyz"))}})
"""

HELPER = """
def upper(text):
    return text.upper()


def lower(text):
    return text.lower()


def unused(text):
    return text
"""

MAIN = """
if __name__ == "__main__":
    from chainctl.components.nodes import nodes_of

    (node,) = nodes_of(notify)
    print(node.hash, node.uuid, *(spec.method for spec in node.triggers))
"""


def _hash(directory: Path, text: str = FILE, helper: str = HELPER, seed: str = "0") -> str:
    """Run the file as a script in an interpreter of its own."""
    (directory / "helping.py").write_text(helper)
    (directory / "declared.py").write_text(text.format(helper="helping") + MAIN)
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONHASHSEED": seed,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(Path(chainctl.__file__).parent.parent),
    }
    run = subprocess.run(
        [sys.executable, "declared.py"],
        cwd=directory,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the file says when nobody touched it."""
    return _hash(tmp_path_factory.mktemp("unchanged"))


def test_hash_and_order_are_the_same_for_every_hash_seed(tmp_path: Path, unchanged: str) -> None:
    """Neither sets nor the order of triggers depend on how Python hashes texts."""
    assert {_hash(tmp_path, seed=str(seed)) for seed in range(1, 20)} == {unchanged}
    assert unchanged.split()[2:] == ["start", "after", "detail"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("        # say it\n", "        # say it again\n\n\n"),
        ("LIMIT = 3", "\n\nLIMIT = 3  # times"),
        ("LOG: list[str] = []", 'LOG: list[str] = ["before"]'),
        ("import enum\n", "import enum\nimport json\n"),
        ('shout(text: str, mark: str = "!") -> str', 'shout(text, mark = "!")'),
    ],
)
def test_hash_does_not_change_with(tmp_path: Path, unchanged: str, old: str, new: str) -> None:
    """Comments, lines, what a global list holds, unused imports."""
    assert old in FILE
    assert _hash(tmp_path, FILE.replace(old, new)) == unchanged


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ('mark: str = "!"', 'mark: str = "?"'),
        ("closing(2)", "closing(3)"),
        ("lambda: count", "lambda: count + 1"),
        ('GREETING = "hello"', 'GREETING = "bye"'),
        ("range(2)", "range(3)"),
        ('return "odd"', 'return "even"'),
        ('{{"x", "y", "z"}}', '{{"x", "y"}}'),
        ('FAST = "fast"', 'FAST = "quick"'),
        ('["a", "b", "c"]', '["a", "b"]'),
        ('channel="#ops"', 'channel="#dev"'),
        ('depends_on=["start"]', 'depends_on=["start", "after"]'),
        ('"b", ("c"', '"b", ("d"'),
        ("import {helper} as helper", "import {helper} as helper; helper.upper = str"),
        ("channel: str\n", "channel: str\n    more: int = 1\n"),
    ],
)
def test_hash_changes_with(tmp_path: Path, unchanged: str, old: str, new: str) -> None:
    """Constants, defaults, closures, code, class bodies, fields, what triggers wait for."""
    assert old in FILE
    assert _hash(tmp_path, FILE.replace(old, new)) != unchanged


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ("text.upper()", "text.title()", True),
        ("text.lower()", "text.casefold()", True),
        ("\n\ndef lower", "\n\n# lower\n\ndef lower", False),
    ],
)
def test_hash_follows_the_modules_that_are_used(
    tmp_path: Path, unchanged: str, old: str, new: str, *, differs: bool
) -> None:
    """A helper's code counts, whether its module is imported above or inside of a function."""
    assert (_hash(tmp_path, helper=HELPER.replace(old, new)) != unchanged) is differs
