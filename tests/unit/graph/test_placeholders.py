"""Stand-ins for packages that are not installed, in all that a module does with them while it is loaded."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Optional

import pydantic
import pytest

import chainctl as chains
from chainctl.graph.placeholders import PlaceholderFinder, missing_in, placeholder
from chainctl.sdk.type_checks import placeholder_in

ROOT = "no_such_package"


@pytest.fixture
def missing() -> Iterator[Any]:
    """A package that is not installed, imported all the same."""
    finder = PlaceholderFinder(frozenset(["json", "no_such_stdlib"]))
    sys.meta_path.append(finder)
    try:
        yield importlib.import_module(ROOT)
        assert ROOT in finder.found
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.split(".")[0] == ROOT]:
            del sys.modules[name]


@pytest.mark.parametrize(
    "expression",
    [
        "m.a.b.c(1)[2].d",
        "m.Tensor | None",
        "m.float32(1) * 2 + 1 - m.pi / 2 // 3 % 4 ** m.e @ m.a",
        "2 * m.pi, 1 - m.pi, 1 / m.a(), 7 // m.a(), 2 ** m.a, 3 % m.b()",
        "-m.inf, +m.inf, ~m.a, abs(m.a), round(m.a, 2), -m.a(), ~m.a(), abs(m.a())",
        "m.a(1) & m.b(2) | m.c(3) ^ m.d(4)",
        "m.a > 1, m.a() <= m.b(), 3 < m.c, m.d >= m.e()",
        "float(m.a), int(m.b()), len(m.c), len(m.d()), bool(m.e)",
        "[x for x in m.a], list(m.b()), {m.c: 1, m.d(): 2}, 1 in m.a()",
        "m.__version__.split('.'), m.__name__, m.__file__, m.__path__",
        "isinstance(3, m.Tensor), issubclass(int, m.Tensor)",
        "m.ndarray[int, m.dtype[m.float32]]",
        "m.decorator(lambda x: x)(3)",
        "m.decorator(size=1)(lambda x: x)(3)",
        "m.a == m.a, m.a != 3, m.a is m.a",
        "str(m.a), repr(m.b()), f'{m.c}'",
        "m.array([1, 2])[::2].astype(m.float32).shape[0] + 1",
        "hasattr(m, 'anything'), getattr(m.a, 'b')",
    ],
)
def test_expressions(missing: Any, expression: str) -> None:
    """Whatever a module computes from a missing package while it is loaded, it goes on."""
    eval(expression, {"m": missing})


def test_statements(missing: Any) -> None:
    """Base classes, context managers, assignments and decorators work, and decorated functions stay what they are."""
    source = """
from no_such_package import nn, functional as F
from no_such_package.utils.data import Dataset
from no_such_package import *
import no_such_package.deep.down as down

class Net(nn.Module, metaclass=type(nn.Module)):
    @nn.no_grad()
    def forward(self, x: nn.Tensor) -> "nn.Tensor":
        return x

    @nn.jit
    def other(self): return 4

class Texts(Dataset[str], keyword=True):
    pass

class Chainlet(chains.ChainletBase, nn.Mixin):
    def run_remote(self) -> int:
        return 1

@nn.compile(mode="fast")
def compiled(): return 3

with nn.no_grad() as block:
    table = nn.zeros(3)
    table[0] = 1
    table += 1
    nn.backends.allow = True
net = Net(3)
for layer in net.layers:
    raise AssertionError
"""
    namespace: dict[str, Any] = {"chains": chains}
    exec(source, namespace)
    assert namespace["compiled"]() == 3
    assert issubclass(namespace["Chainlet"], chains.ChainletBase)
    assert "forward" in vars(namespace["Net"])


def test_modules_are_packages(missing: Any) -> None:
    """Submodules of any depth can be imported and found, and `import *` brings nothing."""
    assert importlib.import_module(f"{ROOT}.a.b.c").__name__ == f"{ROOT}.a.b.c"
    assert importlib.util.find_spec(ROOT) is not None
    assert missing.__all__ == []


@pytest.mark.parametrize(
    "name", ["no_such_stdlib", "no_such_stdlib.a", "json.no_such_part", "chainctl.no_such_room"]
)
def test_some_absences_stay_errors(missing: Any, name: str) -> None:
    """The standard library, and parts of packages that are installed, get no stand-ins."""
    with pytest.raises(ImportError):
        importlib.import_module(name)


def test_dunder_names_stay_absent(missing: Any) -> None:
    """Protocols that look for dunder names do not take a stand-in for what it is not."""
    for value in (missing, missing.a, missing.a()):
        assert not hasattr(value, "__no_such_protocol__")
        assert not hasattr(value, "__array_interface__")


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (placeholder("torch.Tensor"), "torch.Tensor"),
        (Optional[placeholder("torch.Tensor")], "torch.Tensor"),
        (list[placeholder("np.ndarray")], "np.ndarray"),  # type: ignore[misc]  # a type at run time
        (dict[str, tuple[int, placeholder("a.B")]], "a.B"),  # type: ignore[misc]  # too
        (Annotated[placeholder("a.B"), 3], "a.B"),
        (placeholder("a.B") | None, "a.B"),
        (int, None),
        (list[Optional[int]], None),
    ],
)
def test_annotations(annotation: Any, name: str | None) -> None:
    """A missing type is found in an annotation, however deep it is nested."""
    assert placeholder_in(annotation) == name


def test_schemas() -> None:
    """A missing type inside a model is found in the model's schema."""

    items: Any = (list[placeholder("torch.Tensor")], ...)  # type: ignore[misc]  # a type at run time
    model = pydantic.create_model("Model", items=items)
    assert missing_in(pydantic.TypeAdapter(model | None).json_schema()) == "torch.Tensor"
    assert missing_in(pydantic.TypeAdapter(dict[str, int]).json_schema()) is None


INSTALLED = """\
import importlib.util

try:
    import no_such_extra
except ImportError:
    no_such_extra = None

import no_such_need

IS_THERE = importlib.util.find_spec("no_such_question") is not None
"""


def test_installed_code_may_do_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it guards, or only asks for, is not there for it; what it needs is."""
    place = tmp_path / "site-packages"
    place.mkdir()
    (place / "installed_one.py").write_text(INSTALLED, encoding="utf-8")
    monkeypatch.syspath_prepend(str(place))
    finder = PlaceholderFinder(frozenset())
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, finder])
    module = importlib.import_module("installed_one")
    assert module.no_such_extra is None
    assert not module.IS_THERE
    assert finder.found == {"no_such_need"}
    for name in ("installed_one", "no_such_need"):
        del sys.modules[name]
