"""What an edit of a file changes is told by the names of definitions."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.watch.source_change import WHOLE_MODULE, Extent, source_change

FILE = '''\
"""A chain."""
import os
import chainctl as chains

LIMIT = 3
A, B = 1, 2


def clean(text: str) -> str:
    return text.strip()


class Model(chains.ChainletBase):
    size = 4

    def __init__(self):
        self.weights = load(LIMIT)

    @property
    def name(self):
        return "m"

    async def run_remote(self, text: str) -> str:
        return clean(text) + str(self.weights)


logging.basicConfig()
'''


@pytest.mark.parametrize(
    ("old", "new", "extent", "bodies", "names"),
    [
        ("", "", Extent.NONE, (), ()),
        ("return text.strip()", "return  text.strip()  # so", Extent.LAYOUT, (), ()),
        ("return text.strip()", "return text.lower()", Extent.BODIES, ("clean",), ()),
        ('return "m"', 'return "n"', Extent.BODIES, ("Model.name",), ()),
        ("return clean(text)", "x = 1\n        return clean(text)", Extent.BODIES, ("Model.run_remote",), ()),
        ("load(LIMIT)", "load(LIMIT, 1)", Extent.BODIES, ("Model.__init__",), ()),
        ("return text.strip()", "yield text.strip()", Extent.MODULE, (), ("clean",)),
        ("async def run", "def run", Extent.MODULE, (), ("Model.run_remote",)),
        (
            "text: str) -> str:\n    return",
            "text: str = '') -> str:\n    return",
            Extent.MODULE,
            (),
            ("clean",),
        ),
        ("@property", "@cached_property", Extent.MODULE, (), ("Model.name",)),
        ("LIMIT = 3", "LIMIT = 4", Extent.MODULE, (), ("LIMIT",)),
        ("A, B = 1, 2", "A, B = 1, 3", Extent.MODULE, (), ("A", "B")),
        ("size = 4", "size = 5", Extent.MODULE, (), ("Model.size",)),
        ("import os", "import os, re", Extent.MODULE, (), ("re",)),
        ("(chains.ChainletBase)", "(chains.Other)", Extent.MODULE, (), ("Model",)),
        ("basicConfig()", "basicConfig(1)", Extent.MODULE, (), (WHOLE_MODULE,)),
        ("import os\n", "", Extent.MODULE, (), ("os",)),
        ("    size = 4\n", "    size = 4\n\n    def more(self): ...\n", Extent.MODULE, (), ("Model.more",)),
        (
            "return text.strip()",
            "def inner(): return 1\n    return text.strip()",
            Extent.BODIES,
            ("clean",),
            (),
        ),
    ],
)
def test_an_edit_by_its_names(
    old: str, new: str, extent: Extent, bodies: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """Bodies by themselves, and everything else apart from them."""
    edited = FILE.replace(old, new, 1)
    assert (edited == FILE) is (extent is Extent.NONE)
    change = source_change(FILE, edited)
    assert (change.extent, change.bodies, change.names) == (extent, bodies, names)


def test_a_text_that_is_no_python_is_refused_with_its_place() -> None:
    """The line is that of the new text."""
    with pytest.raises(SyntaxError) as caught:
        source_change(FILE, FILE.replace("return text.strip()", "return text.strip("), "chain.py")
    assert (caught.value.filename, caught.value.lineno) == ("chain.py", 10)


def test_another_order_is_an_edit_of_the_module() -> None:
    """It may matter, and what it does can not be told."""
    assert source_change("a = 1\nb = 2\n", "b = 2\na = 1\n").names == (WHOLE_MODULE,)
    assert source_change("a = 1\na = 1\nb = 2\n", "a = 1\nb = 2\na = 1\n").names == (WHOLE_MODULE,)


def test_what_is_defined_twice_is_compared_as_a_whole() -> None:
    """Which of the two counts is not decided here."""
    twice = "def f():\n    return 1\ndef f():\n    return 2\n"
    assert source_change(twice, twice.replace("return 1", "return 3")).names == ("f",)


STATEMENTS = st.sampled_from(
    ["x = 1", "x = 2", "import os", "def f(): return 1", "def f(): return 2", "def f(a): return 1",
     "class C:\n    y = 1\n    def m(self): return 1", "class C:\n    y = 1\n    def m(self): return 2",
     "class C:\n    y = 2\n    def m(self): return 1", "@d\ndef f(): return 1", "print()"]
)  # fmt: skip


@given(st.lists(STATEMENTS, max_size=6), st.lists(STATEMENTS, max_size=6))
def test_an_edit_of_bodies_changes_nothing_else(old: list[str], new: list[str]) -> None:
    """With all bodies taken out the two texts are the same."""
    before, after = "\n".join(old), "\n".join(new)
    if source_change(before, after).extent in (Extent.NONE, Extent.LAYOUT, Extent.BODIES):
        assert _hollow(before) == _hollow(after)
    if _hollow(before) == _hollow(after):
        assert source_change(before, after).extent is not Extent.MODULE or len(set(_names(before))) < len(
            _names(before)
        )


def _names(text: str) -> list[str]:
    return [n.name for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.ClassDef)]


def _hollow(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = []
    return ast.dump(tree)
