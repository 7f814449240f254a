"""The class of a model: what cannot be made or called is told at its place."""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainctl.graph.placeholders import placeholder
from chainctl.graph.truss_directory import model_problems, read_directory
from tests.unit.graph.truss_directory.directories import directory_at

_MODULE = "checked_model"
_WEBSOCKET = "runtime: {transport: {kind: websocket}}"
_HTTP = "runtime:\n  transport: {kind: http}\n"


@pytest.fixture(autouse=True)
def _missing_web(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand for modules that are not installed, as the child interpreter does."""
    for name in ("fastapi", "absent"):
        module = types.ModuleType(name)
        for member in ("Request", "Base"):
            setattr(module, member, placeholder(f"{name}.{member}"))
        monkeypatch.setitem(sys.modules, name, module)
    yield
    sys.modules.pop(_MODULE, None)


def told(root: Path, body: str, config: str = "", head: str = "") -> list[str]:
    """The problems of a class, as `line:column code message`. Its first line is line 3."""
    indented = "".join(f"    {line}\n" if line else "\n" for line in body.splitlines())
    text = f"{head}\nimport fastapi\nclass Model:\n{indented}"
    if text.count("class Model") > 1:
        text = f"{head}\nimport fastapi\n{body}"
    directory = read_directory(directory_at(root, config, text))
    spec = importlib.util.spec_from_file_location(_MODULE, directory.model_file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module
    spec.loader.exec_module(module)
    found = model_problems(module.Model, directory)
    assert all(p.path.endswith("model.py" if p.code != "CH0511" else "config.yaml") for p in found)
    return [f"{p.line}:{p.column} {p.code} {p.message}" for p in found]


@pytest.mark.parametrize(
    "body",
    [
        "def predict(self): ...",
        "def predict(self, x): ...",
        "def predict(self, *args): ...",
        "def predict(self, inputs, temperature=1.0, **rest): ...",
        "def predict(self, request: fastapi.Request): ...",
        "async def predict(self, x, request: fastapi.Request): yield 1",
        "def predict(self, request: fastapi.Request, x): ...",
        "def predict(self, x, *, request: 'fastapi.Request'): ...",
        "def predict(self, x, request: 'starlette.requests.Request'): ...",
        "def predict(self, x, request: fastapi.Request | None = None): ...",
        "@staticmethod\ndef predict(x): ...",
        "@classmethod\ndef predict(cls, x, request: fastapi.Request): ...",
        "async def websocket(self, ws): ...",
        "def __init__(self, **kwargs): ...\ndef predict(self, x): ...",
        "def __init__(self, config, data_dir, *, secrets, environment, lazy_data_resolver): ...\n"
        "def predict(self): ...",
        "def __init__(self, config, size=3): ...\ndef predict(self): ...",
        "def load(self): ...\ndef is_healthy(self): ...\ndef setup_environment(self, environment): ...\n"
        "def preprocess(self, x): ...\ndef predict(self, x): ...\n"
        "def postprocess(self, x, request: fastapi.Request): ...\ndef chat_completions(self, x): ...",
    ],
)
def test_what_can_be_called(tmp_path: Path, body: str) -> None:
    """Has no problem."""
    assert told(tmp_path, body) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("pass", "3:7 CH1208 `Model` has neither `predict` nor `websocket`"),
        (
            "def predict(self, x): ...\nasync def websocket(self, ws): ...",
            "5:15 CH1208 `Model` has both `predict` and `websocket`, and a model is called by one of them",
        ),
        ("predict = 3", "4:5 CH1208 `Model.predict` is `3`, not a method"),
        ("def predict(): ...", "4:9 CH1208 `Model.predict` must take `self` first"),
        (
            "def predict(self, x, request): ...",
            "4:26 CH1208 `Model.predict` cannot be called: nothing is given as `request`",
        ),
        (
            "def predict(self, x, a: fastapi.Request, b: fastapi.Request): ...",
            "4:46 CH1208 `Model.predict` cannot be called: nothing is given as `b`",
        ),
        (
            "def predict(self, x): ...\ndef embeddings(self, x, y): ...",
            "5:29 CH1208 `Model.embeddings` cannot be called: nothing is given as `y`",
        ),
        (
            "def predict(self, x): ...\ndef load(self, path): ...",
            "5:9 CH1208 `Model.load` is called with nothing, and cannot be: missing a required argument: 'path'",
        ),
        (
            "def predict(self, x): ...\ndef setup_environment(self): ...",
            "5:9 CH1208 `Model.setup_environment` is called with one value, the environment, and cannot be:"
            " too many positional arguments",
        ),
        (
            "def __init__(self, path): ...\ndef predict(self, x): ...",
            "4:24 CH1208 `Model.__init__` takes an argument as `path`, and nothing is given so",
        ),
        (
            "def __init__(self, config, /): ...\ndef predict(self, x): ...",
            "4:24 CH1208 `Model.__init__` takes an argument by position only, and nothing is given so",
        ),
        (
            "def __init__(): ...\ndef predict(self, x): ...",
            "4:9 CH1208 `Model.__init__` must take `self` first",
        ),
        (
            "def preprocess(self, x): ...\ndef predict(self, r: fastapi.Request): ...",
            "5:9 CH1208 `Model.predict` takes only the request, so what `preprocess` returns is lost",
        ),
        (
            "def predict(self, x): ...\ndef postprocess(self, r: fastapi.Request): ...",
            "5:9 CH1208 `Model.postprocess` takes only the request, so what `predict` returns is lost",
        ),
        (
            "def predict(self, x): yield x\ndef postprocess(self, x): ...",
            "5:9 CH1103 `Model.predict` streams, so `postprocess` has no result to work on",
        ),
        (
            "async def websocket(self, ws): ...\ndef preprocess(self, x): ...",
            "5:9 CH1106 `Model` is called by websocket, so nothing goes through `preprocess`",
        ),
        (
            "async def websocket(self): ...",
            "4:15 CH1208 `Model.websocket` is called with one value, the websocket, and cannot be:"
            " too many positional arguments",
        ),
    ],
)
def test_what_cannot_be_called(tmp_path: Path, body: str, expected: str) -> None:
    """Is told at its name, or at the parameter that nothing is given for."""
    assert told(tmp_path, body) == [expected]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("def predict(self, texts: list): ...", []),
        ("def predict(self, texts: list[str]) -> list[int]: ...", []),
        ("def predict(self, texts): ...", []),
        (
            "def predict(self, x: dict): ...",
            ["5:23 CH1109 `Model.predict` is batched and takes `dict`, not a list"],
        ),
        (
            "def predict(self, x, r: fastapi.Request): ...",
            ["5:9 CH1109 `Model.predict` is batched, and does not take one list alone"],
        ),
        ("def predict(self, x): yield x", ["5:9 CH1109 `Model.predict` is batched and yields"]),
        (
            "def postprocess(self, x): ...\ndef predict(self, x): ...",
            ["5:9 CH1108 `@chains.batched` stands on `Model.postprocess`, and only `predict` is batched"],
        ),
    ],
)
def test_batches(tmp_path: Path, body: str, expected: list[str]) -> None:
    """Are lists, of which `predict` takes one."""
    head = "import chainctl as chains"
    decorated = f"@chains.batched(max_size=8, max_latency=0.01)\n{body}"
    assert told(tmp_path, decorated, head=head) == expected


def test_limits_of_a_batch(tmp_path: Path) -> None:
    """Are those that chainlets have."""
    body = "@chains.batched(max_size=0, max_latency=0.01)\ndef predict(self, x): ..."
    (found,) = told(tmp_path, body, head="import chainctl as chains")
    assert found.startswith("5:9 CH1108 `Model.predict`: `batched(max_size=…)` is `0`")


@pytest.mark.parametrize(
    ("body", "config", "expected"),
    [
        ("def predict(self): ...", _HTTP, []),
        ("async def websocket(self, ws): ...", _WEBSOCKET, []),
        (
            "def predict(self): ...",
            _WEBSOCKET,
            ["1:1 CH0511 `runtime.transport` is websocket, but `Model.predict` is called by requests"],
        ),
        (
            "async def websocket(self, ws): ...",
            _HTTP,
            ["2:1 CH0511 `runtime.transport` is http, but `Model.websocket` is called by websocket"],
        ),
    ],
)
def test_transports(tmp_path: Path, body: str, config: str, expected: list[str]) -> None:
    """Go with the method that is called; where none is written, the method decides."""
    assert told(tmp_path, body, config) == expected


def test_what_derives_from_something_that_is_not_installed_may_have_anything(tmp_path: Path) -> None:
    """So only what is written is checked."""
    head = "import absent"
    body = "class Model(absent.Base):\n    def load(self, x): ...\n# class Model"
    config = "requirements: [absent]"
    (found,) = told(tmp_path, body, config, head)
    assert found.startswith("4:9 CH1208 `Model.load` is called with nothing")


def test_an_inherited_method_is_told_where_it_is_written(tmp_path: Path) -> None:
    """Not at the class that inherits it."""
    body = "class Base:\n    def predict(self, x, y): ...\nclass Model(Base): ...\n# class Model"
    assert told(tmp_path, body) == [
        "4:26 CH1208 `Model.predict` cannot be called: nothing is given as `y`",
    ]


def test_annotations_that_are_kept_as_texts(tmp_path: Path) -> None:
    """Ask for the request all the same, also under another name, or where they cannot be evaluated."""
    head = "from __future__ import annotations\nfrom fastapi import Request as R"
    body = "def predict(self, x: Nowhere, r: fastapi.Request): ...\ndef postprocess(self, x, r: R): ..."
    assert told(tmp_path, body, head=head) == []


def test_what_is_no_class(tmp_path: Path) -> None:
    """Is told at the file."""
    directory = read_directory(directory_at(tmp_path))
    (problem,) = model_problems(3, directory)
    assert (problem.code, problem.message, problem.line) == ("CH1208", "`Model` is `3`, not a class", 1)
