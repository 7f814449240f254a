"""The examples do what their pages say, objects and wire format alike."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
from collections.abc import Callable
from subprocess import CompletedProcess
from types import ModuleType

import pytest

import chainctl as chains
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.load import load
from tests.docs.blocks import ROOT

Run = Callable[..., "CompletedProcess[str]"]
EXAMPLES = {
    "arrays": "arrays",
    "hello": "hello",
    "notify": "praise",
    "rag": "rag",
    "stages": "rating",
    "subclassing": "reading-time",
}
CODE = "def readLine(): ..."


def example(name: str) -> ModuleType:
    """Import an example's chain file under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", ROOT / "examples" / name / "chain.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_have_no_problems(name: str) -> None:
    """Every example loads; the only warnings are those that subclassing explains."""
    graph = load(ChainFile.parse(str(ROOT / "examples" / name / "chain.py")), environ=os.environ)
    assert graph.chain == EXAMPLES[name]
    assert {p.code for p in graph.warnings} <= ({"CH0206"} if name == "subclassing" else set())


@pytest.mark.parametrize("fidelity", ["inline", "codec"])
@pytest.mark.parametrize(
    ("file", "given", "expected"),
    [
        ("hello/chain.py", {"names": ["Ada"]}, "Hello, Ada"),
        (
            "subclassing/chain.py",
            {"pages": ["One two three.", "Four five."]},
            {"text": "0 min 2 s", "seconds": 2},
        ),
        ("subclassing/chain.py:ReadingTime", {"text": "One two three."}, 0.015),
        ("subclassing/chain.py:ReadingTimeOfCode", {"text": CODE}, 0.015),
        ("subclassing/chain.py:ReadingTimeAtScale", {"text": "one two"}, 0.01),
        (
            "stages/chain.py",
            {"texts": ["Calm", "slow"]},
            [{"stars": 4, "label": "good"}, {"stars": 2, "label": "bad"}],
        ),
        ("stages/chain.py:Rate", {"text": "dull"}, {"stars": 2, "label": "bad"}),
        ("subclassing/chain.py:ReadingTimeForLearners", {"text": "one two"}, 0.025),
    ],
)
def test_examples_answer(
    chainctl: Run, file: str, given: dict[str, object], expected: object, fidelity: str
) -> None:
    """Examples give the same answers as objects and through the wire format."""
    done = chainctl(
        "run-local", f"examples/{file}", "--input", json.dumps(given), "--fidelity", fidelity, "--json"
    )
    assert json.loads(done.stdout) == expected


@pytest.mark.parametrize("fidelity", ["inline", "codec"])
def test_rag_cites_what_it_says(chainctl: Run, fidelity: str) -> None:
    """Each answer is made of sentences from the documents that it cites."""
    questions = [
        "When is the fog horn sounded?",
        "How many days of oil are kept in store?",
        "What is done when the wind reaches force nine?",
        "Who painted the ceiling?",
    ]
    done = chainctl(
        "run-local", "examples/rag/chain.py", "--fidelity", fidelity, "--json",
        "--input", json.dumps({"questions": questions}),
    )  # fmt: skip
    answers = json.loads(done.stdout)
    assert [a["question"] for a in answers] == questions
    assert [[c["place"] for c in a["citations"]] for a in answers] == [
        ["fog.md#1"], ["supplies.md#2"], ["storm.md#1"], [],
    ]  # fmt: skip
    assert answers[1]["answer"].startswith("Oil for sixty days")
    assert answers[3]["answer"] == "The documents do not say."


def test_rag_can_be_tried_with_a_fake() -> None:
    """A dependency can be replaced by an object with the same method."""
    rag = example("rag")

    class FakeRetrieve:
        async def run_remote(self, question: str, limit: int = 3) -> list[object]:
            passage = rag.Passage(place="note.md#1", text="Cats sleep a lot. Dogs bark.")
            return [rag.Hit(passage=passage, score=1.0)]

    with chains.run_local():
        answer = rag.Answer(retrieve=FakeRetrieve())
        (reply,) = asyncio.run(answer.run_remote(["Do dogs bark?"]))
    assert reply.answer == "Dogs bark. [1]"


def test_splitters_differ() -> None:
    """The substituted dependency finds other words than the one it replaces."""
    module = example("subclassing")
    assert asyncio.run(module.SplitProse().run_remote(CODE)) == ["def", "readLine():", "..."]
    assert asyncio.run(module.SplitCode().run_remote(CODE)) == ["def", "read", "Line"]
