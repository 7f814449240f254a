"""Which files a chain needs, and what it imports from outside, read from syntax trees."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainctl.graph.imports import Closure, closure_of


def closure(root: Path, files: Mapping[str, str | bytes], start: str = "chain.py") -> Closure:
    """Write files below a root and take the closure of one of them."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())
    return closure_of(root / start, [root])


def names(root: Path, found: Closure) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in found.files)


def external(found: Closure) -> dict[str, bool]:
    """The imports from outside, and whether loading the chain makes them."""
    return {imported.module: imported.is_top_level for imported in found.external}


def test_follows_all_forms_of_imports(tmp_path: Path) -> None:
    """Modules, packages, submodules, names, relative imports and imports in functions are all followed."""
    found = closure(
        tmp_path,
        {
            "chain.py": """
                import a, pkg.b
                from pkg import c
                from pkg.d import name
                def f():
                    from lazy import x
            """,
            "a.py": "",
            "lazy.py": "",
            "unused.py": "",
            "pkg/__init__.py": "from . import e",
            "pkg/b.py": "from .. import nothing",
            "pkg/c.py": "from .sub.f import g",
            "pkg/d.py": "name = 1",
            "pkg/e.py": "",
            "pkg/sub/f.py": "g = 1",
            "pkg/unused.py": "",
        },
    )
    assert names(tmp_path, found) == [
        "a.py", "chain.py", "lazy.py",
        "pkg/__init__.py", "pkg/b.py", "pkg/c.py", "pkg/d.py", "pkg/e.py", "pkg/sub/f.py",
    ]  # fmt: skip


def test_circular_imports(tmp_path: Path) -> None:
    """Files may import each other, and themselves."""
    found = closure(tmp_path, {"chain.py": "import a, chain", "a.py": "import chain"})
    assert names(tmp_path, found) == ["a.py", "chain.py"]


@pytest.mark.parametrize(
    ("source", "is_top_level"),
    [
        ("import torch", True),
        ("from torch.nn import Module", True),
        ("class A:\n    import torch", True),
        ("for _ in (1,):\n    import torch", True),
        ("def f():\n    import torch", False),
        ("async def f():\n    import torch", False),
        ("try:\n    import torch\nexcept ImportError:\n    torch = None", False),
        ("with contextlib.suppress(ImportError):\n    import torch", False),
        ("if TYPE_CHECKING:\n    import torch", False),
        ("if typing.TYPE_CHECKING:\n    import torch", False),
        ("if sys.version_info < (3, 11):\n    import torch", False),
        ('if __name__ == "__main__":\n    import torch', False),
        ("if A:\n    pass\nelse:\n    import torch", False),
        ("class A:\n    def f(self):\n        import torch", False),
    ],
)
def test_which_imports_loading_makes(tmp_path: Path, source: str, is_top_level: bool) -> None:
    """An import counts as made when loading the file makes it whatever the circumstances."""
    (imported,) = {found.is_top_level for found in closure(tmp_path, {"chain.py": source}).external}
    assert imported is is_top_level


def test_lazily_imported_module_is_not_loaded(tmp_path: Path) -> None:
    """What a module imports is imported when that module is, however far down."""
    files = {"chain.py": "def f():\n    import lazy", "lazy.py": "import deeper", "deeper.py": "import torch"}
    assert external(closure(tmp_path, files)) == {"torch": False}
    files["chain.py"] += "\nimport eager"
    files["eager.py"] = "import deeper"
    assert external(closure(tmp_path, files)) == {"torch": True}


def test_named_files(tmp_path: Path) -> None:
    """A text that names a file or a directory beside the module brings it along, wherever it stands."""
    files: dict[str, str | bytes] = {
        "chain.py": 'OPEN = "prompt.txt", f"{1}", "data", "absent.txt", "../out.txt", "/etc/passwd", "", "."',
        "prompt.txt": "",
        "data/a/b.csv": "",
        "data/__pycache__/x.pyc": b"",
        "other.txt": "",
    }
    assert names(tmp_path, closure(tmp_path, files)) == ["chain.py", "data/a/b.csv", "prompt.txt"]


def test_named_module_is_followed_lazily(tmp_path: Path) -> None:
    """A Python file that a text names may be run later: its imports come along, but loading makes none."""
    files: dict[str, str | bytes] = {
        "chain.py": 'SCRIPT = "tool.py"',
        "tool.py": "import torch, a",
        "a.py": "",
    }
    found = closure(tmp_path, files)
    assert names(tmp_path, found) == ["a.py", "chain.py", "tool.py"]
    assert external(found) == {"torch": False}


def test_data_of_a_package(tmp_path: Path) -> None:
    """Data files beside a package's `__init__.py` come along."""
    files: dict[str, str | bytes] = {
        "chain.py": "import pkg",
        "pkg/__init__.py": "",
        "pkg/a.json": "",
        "pkg/b.pyc": b"",
        "pkg/c.py": "",
    }
    assert names(tmp_path, closure(tmp_path, files)) == ["chain.py", "pkg/__init__.py", "pkg/a.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"def (",
        b"\xff\xfe\x00",
        b"x = '\x00'",
        b"# coding: no-such-encoding\n",
        b"# coding: latin-1\nx = '\xfc'",
        b"",
    ],
)
def test_unreadable_files(tmp_path: Path, content: bytes) -> None:
    """A module that cannot be parsed is needed all the same; whoever loads it will say so."""
    found = closure(tmp_path, {"chain.py": "import odd", "odd.py": content})
    assert names(tmp_path, found) == ["chain.py", "odd.py"]


def test_package_that_is_a_root_itself(tmp_path: Path) -> None:
    """The directory of a chain file is a root; where it is a package, its `__init__.py` comes along."""
    for name in ("pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/chain.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    start = tmp_path / "pkg" / "sub" / "chain.py"
    found = closure_of(start, [tmp_path, start.parent])
    assert names(tmp_path, found) == ["pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/chain.py"]
    assert names(start.parent, closure_of(start, [start.parent])) == ["chain.py"]


def test_several_roots(tmp_path: Path) -> None:
    """Modules are looked for in every root, the first one first."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "chain.py").write_text("import a, b")
    for name in ("one/a.py", "two/a.py", "two/b.py"):
        (tmp_path / name).touch()
    found = closure_of(tmp_path / "one" / "chain.py", [tmp_path / "one", tmp_path / "two"])
    assert names(tmp_path, found) == ["one/a.py", "one/chain.py", "two/b.py"]


# --- any module --------------------------------------------------------------------------------

_words = st.sampled_from(["a", "b", "pkg", "chain", "torch", "os", "data", "x1", "ä"])
_dotted = st.lists(_words, min_size=1, max_size=3).map(".".join)
_literals = st.one_of(
    st.text(max_size=300), st.sampled_from(["data", "a.py", "pkg/b.py", ".", "..", "\x00", "\ud800"])
)
_simple = st.one_of(
    st.builds("import {}".format, _dotted),
    st.builds("import {} as {}".format, _dotted, _words),
    st.builds("from {}{} import {}".format, st.sampled_from(["", ".", "..", "...."]), _dotted, _words),
    st.builds("from {} import {}".format, st.sampled_from([".", "..", "..."]), _words),
    st.builds("from {} import *".format, _dotted),
    st.builds("x = {!r}".format, _literals),
    st.just("pass"),
)


def _indented(block: list[str]) -> str:
    return textwrap.indent("\n".join(block), "    ")


def _nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    block = st.lists(inner, min_size=1, max_size=3).map(_indented)
    heads = ["def f():", "async def f():", "class A:", "if x:", "while x:", "with x:", "for x in y:"]
    return st.one_of(
        st.builds("{}\n{}".format, st.sampled_from(heads), block),
        st.builds("try:\n{}\nexcept E:\n{}\nfinally:\n{}".format, block, block, block),
        st.builds("match x:\n    case 1:\n{}".format, block.map(lambda text: textwrap.indent(text, "    "))),
    )


_modules = st.lists(st.recursive(_simple, _nested, max_leaves=4), max_size=5).map("\n".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(_modules, _modules, _modules)
def test_closure_of_any_module(tmp_path: Path, chain: str, a: str, b: str) -> None:
    """Whatever modules import and name, the closure is a set of files of the project."""
    written = {"chain.py": chain, "a.py": a, "pkg/__init__.py": "", "pkg/b.py": b, "data/c.txt": ""}
    files = {name: text.encode("utf-8", "surrogatepass") for name, text in written.items()}
    found = closure(tmp_path, files)
    assert tmp_path / "chain.py" in found.files
    assert found.files <= {tmp_path / name for name in files}
    assert all(imported.line > 0 and imported.module for imported in found.external)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_closure_of_any_bytes(tmp_path: Path, content: bytes) -> None:
    """Whatever a file holds, it has a closure."""
    assert tmp_path / "chain.py" in closure(tmp_path, {"chain.py": content}).files


def test_a_key_that_is_a_directory_brings_nothing(tmp_path: Path) -> None:
    """A key that happens to be a directory's name is no path; a joined or passed name is one."""
    for name in ("models", "prompts", "rules"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.txt").write_text("x")
    chain = tmp_path / "chain.py"
    chain.write_text(
        'KEYS = {"models": 1}\nA = HERE / "prompts"\nB = open_all("rules")\nC = KEYS["models"] == "models"\n'
    )
    names = {p.relative_to(tmp_path).as_posix() for p in closure_of(chain, [tmp_path]).files}
    assert names == {"chain.py", "prompts/one.txt", "rules/one.txt"}
