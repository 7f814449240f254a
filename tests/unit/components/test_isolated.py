"""A component is loaded where its files are not, in a namespace of its own; the live class where it is the same."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import chainctl
from chainctl.components.load import loaded
from chainctl.components.node import Node
from chainctl.components.nodes import found_components, found_text, nodes_of
from chainctl.sdk.component import Component

FILES = {
    "declares/__init__.py": "from .inner import VALUE\n",
    "declares/inner.py": """
VALUE = 41


def bump(x):
    from declares.late import late

    return late(x) + VALUE
""",
    "declares/late.py": "def late(x):\n    return x * 100\n",
    "declares/chain.py": """
from __future__ import annotations

import dataclasses
import typing as t

import pydantic

import declares.inner
from chainctl import Component, trigger
from declares.inner import bump

from . import late


class Outer(pydantic.BaseModel):
    inner: t.Optional[Inner] = None


class Inner(pydantic.BaseModel):
    a: int


@dataclasses.dataclass
class Size:
    x: int


LOG = []


class Notify(Component):
    channel: str
    size: Size | None = None
    render: t.Callable | None = None
    outer: Outer | None = None

    def setup(self):
        LOG.append("setup")

    @trigger("apply")
    def start(self):
        return [self.channel, self.size.x, bump(1), late.late(2), declares.inner.VALUE, LOG]

    @trigger("apply", depends_on="start", requires="render")
    def detail(self):
        return self.render(self.size.x)

    def cleanup(self):
        print("cleaned", self.identifier, LOG)


def make():
    return Notify(
        "ops", channel="#ops", size=Size(4), outer=Outer(inner=Inner(a=1)), render=lambda n: n + bump(0)
    )
""",
}

LOAD = """
import sys
from pathlib import Path
from chainctl.components.load import loaded
from chainctl.components.live import LiveRunner
from chainctl.components.nodes import found_components, nodes_of

(found,) = found_components(Path(sys.argv[1]).read_text())
component = loaded(found.node)
assert component.hash == found.node.hash
assert "declares" not in sys.modules
with LiveRunner() as runner:
    print(runner.run(found.node, "start"), runner.run(found.node, "detail"))
    runner.cleanup(found.node)
(again,) = nodes_of(component)
assert again.hash == found.node.hash
assert type(loaded(again)) is type(component)
print(type(component).__name__, component.outer.inner.a)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package on the path, which is forgotten afterwards."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "declares"]:
        del sys.modules[name]


def _made() -> Component:
    importlib.invalidate_caches()
    made: Component = importlib.import_module("declares.chain").make()
    return made


def test_component_runs_in_a_process_without_its_files(project: Path, tmp_path: Path) -> None:
    """Everything of the user's that it needs comes along, as text; hooks and triggers work."""
    (node,) = nodes_of(_made())
    stored = tmp_path / "stored.json"
    stored.write_text(found_text((node,)))
    for file in sorted(project.glob("declares/*.py")):
        file.unlink()
    environ = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(Path(chainctl.__file__).parent.parent)}
    run = subprocess.run(
        [sys.executable, "-c", LOAD, str(stored)], cwd="/", env=environ, capture_output=True, text=True
    )
    assert run.stderr == ""
    assert run.stdout.splitlines() == [
        "['#ops', 4, 141, 200, 41, ['setup']] 45",
        "cleaned ops ['setup']",
        "Notify 1",
    ]


def test_live_class_is_used_where_it_is_the_same(project: Path) -> None:
    """In the process that declares it, a component is of the class that is there."""
    component = _made()
    again = loaded(nodes_of(component)[0])
    assert type(again) is type(component)
    assert project.is_dir()


def test_another_class_is_loaded_beside_the_live_one(project: Path) -> None:
    """When the file has changed, what was stored keeps its own code, and the live class is not touched."""
    component = _made()
    (node,) = nodes_of(component)
    live = sys.modules["declares.chain"]
    file = project / "declares" / "inner.py"
    file.write_text(file.read_text().replace("41", "1"))
    again = loaded(node)
    assert type(again) is not type(component)
    assert type(again).__name__ == "Notify"
    assert sys.modules["declares.chain"] is live
    assert _run(again)[2] == 141
    assert again.hash == node.hash
    assert type(loaded(node)) is type(again)


def _run(component: Component) -> list[object]:
    result: list[object] = component.start()  # type: ignore[attr-defined]  # a class of the test's files
    return result


def test_live_methods_survive_loading(project: Path) -> None:
    """Loading a component, its lambdas too, leaves the live class with its module's globals."""
    component = _made()
    node: Node = nodes_of(component)[0]
    loaded(node)
    component.start()  # type: ignore[attr-defined]  # a class of the test's files
    assert sys.modules["declares.chain"].LOG == ["setup"]
    assert project.is_dir()


def test_class_of_a_function_survives_loading() -> None:
    """A class that no module has is pickled; loading it where it lives does not rewrite it."""
    log: list[str] = []

    class Local(Component):
        size: int = 1

        def setup(self) -> None:
            log.append("setup")

    method = Local.setup
    again = loaded(nodes_of(Local("a", size=2))[0])
    assert type(again) is Local
    assert Local.setup is method
    again.setup()
    assert log == ["setup"]


def test_nodes_come_through_json(project: Path) -> None:
    """What a child interpreter answers is what it had."""
    nodes = nodes_of(_made())
    assert tuple(found.node for found in found_components(found_text(nodes))) == nodes
    assert project.is_dir()
