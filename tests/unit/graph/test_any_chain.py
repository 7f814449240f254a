"""Introspection of any small chain: a graph or problems, never an exception."""

from __future__ import annotations

import importlib
import itertools
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from chainctl.errors import Problem
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.graph import Introspection
from chainctl.graph.import_file import import_chain
from chainctl.graph.introspect import introspect
from chainctl.graph.placeholders import PlaceholderFinder

_HEAD = """
import asyncio, dataclasses, enum, typing
from collections.abc import AsyncIterator, Iterator
import pydantic
try:
    import no_such_package as np
finally:
    import chainctl as chains

LIMIT = 3
MARKER = chains.depends("C0")

class Plain: pass

class Model(pydantic.BaseModel):
    name: str

class Odd:
    def __getattr__(self, name):
        raise RuntimeError(name)

ODD = Odd()
"""

_types = st.recursive(
    st.sampled_from(
        ["int", "str", "bytes", "None", "Model", "Plain", "np.ndarray", "'Model'", "'Later'", "'1 +'", "'1 / 0'", "3",
         "LIMIT", "ODD", "typing.Any", "typing.Self", "typing.NoReturn", "typing.ClassVar[int]", "typing.Final",
         "typing.TypeVar('T')", "...", "list", "dict", "tuple[()]", "AsyncIterator", "enum.Enum", "'C1'",
         "chains.ChainletBase", "type[int]", "np.dtype[np.float32]", "typing.Callable[[int], str]", "range", "'x' * 3",
         "{'a': int}", "[int]", "lambda: 3", "asyncio.Lock"]
    ),
    lambda inner: st.one_of(
        st.builds("list[{}]".format, inner),
        st.builds("dict[str, {}]".format, inner),
        st.builds("tuple[{}, {}]".format, inner, inner),
        st.builds("typing.Optional[{}]".format, inner),
        st.builds("typing.Annotated[{}, 3]".format, inner),
        st.builds("AsyncIterator[{}]".format, inner),
        st.builds("Iterator[{}]".format, inner),
        st.builds("typing.Literal[{}]".format, inner),
    ),
    max_leaves=3,
)  # fmt: skip
_classes = st.integers(0, 3).map("C{}".format)
_values = st.sampled_from(
    ["3", "None", "MARKER", "ODD", "np.zeros(3)", "chains.depends_context()", "[]", "Model(name='a')", "lambda: 3",
     "chains.depends(Plain)", "chains.depends(3)", "chains.depends('C1')", "chains.depends('ODD')", "print",
     "chains.RemoteConfig"]
)  # fmt: skip
_defaults = st.one_of(
    _values,
    st.builds("chains.depends({})".format, _classes),
    st.builds("chains.depends('{}', retries=2)".format, _classes),
)
_parameters = st.one_of(
    st.sampled_from(["a", "context", "*args", "**kwargs", "a, /", "*, a"]),
    st.builds("{}: {}".format, st.sampled_from("abc"), _types),
    st.builds("{}: {} = {}".format, st.sampled_from(["a", "b", "context"]), _types, _defaults),
    st.builds("{}={}".format, st.sampled_from(["a", "b", "context"]), _defaults),
)
_signatures = st.builds(
    "({}){}".format,
    st.builds(
        lambda first, rest: ", ".join([*first, *rest]),
        st.sampled_from([["self"], ["self"], ["self"], [], ["cls"]]),
        st.lists(_parameters, max_size=2),
    ),
    st.one_of(st.just(""), _types.map(" -> {}".format)),
)
_bodies = st.sampled_from(
    ["return 1", "yield 1", "yield ''", "pass", "return C0()", "return chains.depends(C0)", "await x", "ODD.a.b()",
     "import np2; return MARKER.run()"]
)  # fmt: skip
_methods = st.builds(
    "{}def {}{}:\n    {}".format,
    st.sampled_from(["", "", "async ", "@staticmethod\n", "@classmethod\n", "@property\n", "@np.jit\n"]),
    st.sampled_from(["__init__", "run_remote", "run_remote", "is_healthy", "other"]),
    _signatures,
    _bodies,
)
_configs = st.sampled_from(
    ["chains.RemoteConfig()", "chains.RemoteConfig(name='C1')", "chains.RemoteConfig(name='ä b')", "3", "None",
     "chains.RemoteConfig(nme=3)", "chains.RemoteConfig(options=chains.ChainletOptions(metadata=np.zeros(3)))",
     "chains.RemoteConfig(assets=chains.Assets(cached=[object()]))", "chains.RemoteConfig(build_commands='x')",
     "chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=['', 'a = 3', 'numpy']))",
     "chains.RemoteConfig(docker_image=chains.DockerImage(data_dir=chains.make_abs_path_here('x')))"]
)  # fmt: skip
_members = st.one_of(
    _methods,
    _methods,
    _configs.map("remote_config = {}".format),
    st.builds(
        "{} = {}".format,
        st.sampled_from(["run_remote", "__init__", "is_healthy", "display_name", "x"]),
        _values,
    ),
    st.sampled_from(["pass", "'text'", "x: int", "__slots__ = ()", "run_remote: int"]),
)
_bases = st.sampled_from(
    ["chains.ChainletBase", "chains.ChainletBase", "chains.ChainletBase", "C0", "Plain",
     "chains.ChainletBase, np.Mixin", "Model",
     "chains.ChainletBase, typing.Generic[typing.TypeVar('T')]"]
)  # fmt: skip
_marks = st.sampled_from(
    ["", "", "@chains.mark_entrypoint\n", "@chains.mark_entrypoint('My Chain')\n", "@np.mark\n"]
)


def _class_text(index: int, mark: str, base: str, members: list[str], good: str) -> str:
    body = textwrap.indent("\n".join([*members, good]), "    ")
    return f"{mark}class C{index}({base}):\n{body}\n"


_good = st.sampled_from(["", "def run_remote(self, a: int = 1) -> 'Model': ..."])
_heads = st.sampled_from([_HEAD, f"from __future__ import annotations\n{_HEAD}"])


def _parses(text: str) -> bool:
    try:
        compile(text, "chain.py", "exec")
    except SyntaxError:
        return False
    return True


_class_parts = st.tuples(_marks, _bases, st.lists(_members, min_size=1, max_size=3), _good)
_chain_texts = st.builds(
    lambda head, classes: head + "\n".join(_class_text(i, *parts) for i, parts in enumerate(classes)),
    _heads,
    st.lists(_class_parts, min_size=1, max_size=3),
).filter(_parses)
_counter = itertools.count()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory whose modules can be imported, where missing packages have stand-ins."""
    root = tmp_path_factory.mktemp("project")
    finder = PlaceholderFinder(frozenset(sys.stdlib_module_names))
    sys.path.insert(0, str(root))
    sys.meta_path.append(finder)
    try:
        yield root
    finally:
        sys.path.remove(str(root))
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.split(".")[0] in ("no_such_package", "np2")]:
            del sys.modules[name]


def examined(project: Path, text: str) -> Introspection:
    """Do in this process what the child does with a file."""
    name = f"any_chain_{next(_counter)}"
    (project / f"{name}.py").write_text(text, encoding="utf-8")
    importlib.invalidate_caches()
    file = ChainFile.parse(str(project / f"{name}.py"))
    try:
        module = import_chain(file)
        return Introspection((module,)) if isinstance(module, Problem) else introspect(module, file)
    finally:
        sys.modules.pop(name, None)
        (project / f"{name}.py").unlink()


@pytest.mark.filterwarnings("ignore")  # what generated code does is its own affair
@settings(suppress_health_check=list(HealthCheck), max_examples=100, deadline=None)
@given(text=_chain_texts)
def test_any_chain(project: Path, text: str) -> None:
    """Whatever chainlets look like, the answer is a graph or problems, and it can be sent as JSON."""
    found = examined(project, text)
    assert (found.graph is None) == bool(found.problems)
    adapter = TypeAdapter(Introspection)
    assert adapter.validate_json(adapter.dump_json(found)).problems == found.problems
    for problem in found.problems:
        assert problem.code.startswith("CH0")
        assert problem.message
        assert 0 <= problem.line <= len(text.split("\n"))
