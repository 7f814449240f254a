"""An edit of a chain becomes the smallest safe action for each chainlet, with its reason."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from chainctl.graph.graph import ChainGraph
from chainctl.watch.ladder import Edit, Rung, Step, escalated, inputs_of, steps_of
from chainctl.watch.source_change import source_change
from tests.fakes.chains import chainlet, graph_of

CHAIN = """\
import chainctl as chains
from helpers import clean, load


class Leaf(chains.ChainletBase):
    def __init__(self):
        self.weights = load()

    def run_remote(self, text: str) -> str:
        return clean(text)


class Root(chains.ChainletBase):
    def __init__(self, leaf=chains.depends(Leaf)):
        self.leaf = leaf
        self.size = 2

    def run_remote(self, text: str) -> str:
        return self.leaf.run_remote(text) * self.size
"""
HELPERS = """\
def load():
    return read()


def read():
    return 1


def clean(text):
    return text.strip()
"""
OTHER = "VALUE = 1\n"
FILES = {
    "/project/chain.py": CHAIN,
    "/project/helpers.py": HELPERS,
    "/project/other.py": OTHER,
    "/project/prompt.txt": "say",
}
MOVED = ("swap", "only lines moved")
CALLS = {"Root": ["Leaf"], "Leaf": []}


def graph(config: Mapping[str, Any] | None = None, **changes: Any) -> ChainGraph:
    """Both chainlets stand in one file; `other.py` and the prompt are of the root alone."""
    leaf = chainlet("Leaf", files=["chain.py", "helpers.py"], config=dict(config or {}))
    root = chainlet("Root", files=["chain.py", "helpers.py", "other.py", "prompt.txt"])
    leaf, root = (replace(spec, path="/project/chain.py", qualname=spec.name) for spec in (leaf, root))
    return graph_of(CALLS, specs=[replace(leaf, **changes), root], entrypoint="Root")


def edit(path: str, old: str, new: str) -> Edit:
    text = FILES[path].replace(old, new, 1)
    assert text != FILES[path]
    texts = {name: text if name == path else FILES[name] for name in FILES if name.endswith(".py")}
    trees = {name: ast.parse(one) for name, one in texts.items()}
    if path in texts:
        return Edit({path: source_change(FILES[path], text)}, frozenset(), trees)
    return Edit({}, frozenset({path}), trees)


def steps(path: str, old: str, new: str) -> dict[str, tuple[str, str]]:
    return {
        one.chainlet: (str(one.rung), one.reason) for one in steps_of(edit(path, old, new), graph(), graph())
    }


@pytest.mark.parametrize(
    ("path", "old", "new", "leaf", "root"),
    [
        (
            "/project/chain.py", "clean(text)", "clean(text) + '!'",
            ("swap", "only the body of `Leaf.run_remote` changed"), ("swap", "only lines moved"),
        ),
        (
            "/project/helpers.py", "strip()", "lower()",
            ("swap", "only the body of `clean` changed"), ("swap", "only the body of `clean` changed"),
        ),
        (
            "/project/helpers.py", "return 1", "return 2",
            ("reinit", "`__init__` uses `read`, which changed"), ("swap", "only the body of `read` changed"),
        ),
        (
            "/project/chain.py", "self.size = 2", "self.size = 3",
            ("swap", "only lines moved"), ("reinit", "`__init__` changed"),
        ),
        (
            "/project/chain.py", "import chainctl", "import re\nimport chainctl",
            ("reimport", "`re` changed"), ("reimport", "`re` changed"),
        ),
        (
            "/project/helpers.py", "return text.strip()", "return text\n\n\nlog()",
            ("reinit", "what importing helpers.py does changed"), ("reinit", "what importing helpers.py does changed"),
        ),
        ("/project/other.py", "1", "2", None, ("reimport", "`VALUE` changed")),
        ("/project/prompt.txt", "say", "sing", None, ("restart", "prompt.txt changed")),
        ("/project/chain.py", "\n\nclass Root", "\n# the root\n\nclass Root", MOVED, MOVED),
    ],
)  # fmt: skip
def test_an_edit_and_what_it_takes(
    path: str, old: str, new: str, leaf: tuple[str, str] | None, root: tuple[str, str] | None
) -> None:
    """A chainlet in the same file is no part of another one; a shared module touches those that import it."""
    expected = {"Leaf": leaf, "Root": root}
    assert steps(path, old, new) == {name: step for name, step in expected.items() if step}


def test_bodies_alone_keep_the_graph() -> None:
    """Then nobody has to load the chain file anew."""
    assert edit("/project/helpers.py", "strip()", "lower()").keeps_graph
    assert not edit("/project/chain.py", "import chainctl", "import re\nimport chainctl").keeps_graph
    assert not edit("/project/prompt.txt", "say", "sing").keeps_graph


@pytest.mark.parametrize(
    ("after", "rung", "reason"),
    [
        (graph({"docker_image": {"pip_requirements": ["x"]}}), Rung.REBUILD, "its docker_image changed"),
        (graph({"compute": {"cpu_count": 2}}), Rung.REPLAN, "the configuration (compute) of Leaf changed"),
        (graph(is_async=False), Rung.REPLAN, "the signature of Leaf changed"),
        (graph(input_schema={"type": "object"}), Rung.REPLAN, "the signature of Leaf changed"),
        (graph(module="elsewhere"), Rung.REPLAN, "the place of Leaf changed"),
        (replace(graph(), entrypoint="Leaf"), Rung.REPLAN, "Leaf is the entrypoint"),
        (replace(graph(), edges=()), Rung.REPLAN, "what Root calls, and how, changed"),
        (replace(graph(), component_text="{}"), Rung.REPLAN, "the components of the file changed"),
        (replace(graph(), chainlets=graph().chainlets[:1]), Rung.REPLAN, "Root was removed"),
    ],
)
def test_what_the_graph_says_comes_first(after: ChainGraph, rung: Rung, reason: str) -> None:
    """Whatever else changed: a push brings it all."""
    (step, *rest) = steps_of(edit("/project/helpers.py", "strip()", "lower()"), graph(), after)
    assert (step.rung, step.reason) == (rung, reason)
    assert rung is not Rung.REPLAN or not rest


def test_a_step_can_be_taken_higher_only() -> None:
    """Where a worker refuses the lower one."""
    step = Step("Leaf", Rung.REINIT, "so")
    assert escalated(step, Rung.RESTART, "no") == Step("Leaf", Rung.RESTART, "no")
    assert escalated(step, Rung.SWAP, "no").rung is Rung.REINIT


MODEL = """\
import json


class Model:
    def __init__(self, **kwargs):
        self.weights = None

    def load(self):
        self.weights = read()

    def predict(self, inputs):
        return clean(inputs)


def read():
    return 1


def clean(text):
    return text.strip()
"""


def model_step(old: str, new: str) -> tuple[str, str]:
    """What an edit of a model's file takes."""
    path, text = "/project/model/model.py", MODEL.replace(old, new, 1)
    spec = replace(
        chainlet("Model", files=["model/model.py"]), path=path, module="model.model", truss_config={}
    )  # fmt: skip
    before = graph_of({"Model": []}, specs=[spec])
    (step,) = steps_of(
        Edit({path: source_change(MODEL, text)}, frozenset(), {path: ast.parse(text)}), before, before
    )
    return str(step.rung), step.reason


@pytest.mark.parametrize(
    ("old", "new", "step"),
    [
        ("strip()", "lower()", ("swap", "only the body of `clean` changed")),
        ("return 1", "return 2", ("restart", "`load` uses `read`, which changed")),
        ("self.weights = read()", "self.weights = 2", ("restart", "`load` changed")),
        ("self.weights = None", "self.weights = 0", ("restart", "`__init__` changed")),
        ("import json", "import re", ("restart", "`json`, `re` changed")),
        ("import json\n", "import json\n\n# lines\n", ("swap", "only lines moved")),
    ],
)
def test_a_model_keeps_what_it_has_loaded(old: str, new: str, step: tuple[str, str]) -> None:
    """What is no edit of bodies alone starts it anew: two of it may not fit."""
    assert model_step(old, new) == step


def test_a_configuration_that_only_its_model_sees_makes_another_image() -> None:
    """As it is part of what is started there."""
    one, two = (
        graph_of({"Model": []}, specs=[replace(chainlet("Model"), truss_config={"model_metadata": {"a": n}})])
        for n in (1, 2)
    )
    (step,) = steps_of(Edit({}, frozenset({"/project/config.yaml"}), {}), one, two)
    assert (step.rung, step.reason) == (Rung.REBUILD, "its config.yaml changed")


def test_directories_of_a_truss_directory_may_come_later() -> None:
    """They are watched before they are there."""
    config = {"data_dir": "data", "bundled_packages_dir": "packages"}
    spec = replace(
        chainlet("Model"), path="/project/model/model.py", module="model.model", truss_config=config
    )
    assert inputs_of(spec) == ("/project/data", "/project/packages")
