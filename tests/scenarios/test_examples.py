"""Every example gives the same answer in process, through the wire format, as processes, and on Docker."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, Chainctl

EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class Example:
    """One example: its file, what it is called with, what must hold for the answer."""

    name: str
    file: str
    request: Callable[[], str]
    check: Callable[[str], None]


def _equals(expected: str) -> Callable[[str], None]:
    def check(answer: str) -> None:
        assert answer == expected

    return check


def _audio_request() -> str:
    script = [sys.executable, str(EXAMPLES / "audio" / "request.py")]
    return subprocess.run(script, capture_output=True, text=True, check=True).stdout  # ours


def _is_transcribed(answer: str) -> None:
    """The word error rate against the known text stays below a sane bound; segments are in order."""
    sys.path.insert(0, str(EXAMPLES / "audio"))
    try:
        from wer import word_error_rate  # type: ignore[import-not-found]  # the example's own module
    finally:
        sys.path.pop(0)
    transcript = json.loads(answer)
    expected = (EXAMPLES / "audio" / "speech.txt").read_text(encoding="utf-8")
    rate = word_error_rate(expected, transcript["text"])
    assert rate < 0.15, f"word error rate {rate:.2f}: {transcript['text']}"
    starts = [segment["start"] for segment in transcript["segments"]]
    assert len(starts) >= 3
    assert starts == sorted(starts)


def _has_seconds(answer: str) -> None:
    assert json.loads(answer)["seconds"] == 2


def _adds_ten(answer: str) -> None:
    assert json.loads(answer)["total"] == 36.0


def _cites_a_document(answer: str) -> None:
    assert re.search(r"\w+\.(txt|md)", answer), answer


def _has_keywords(answer: str) -> None:
    assert json.loads(answer) == {"keywords": ["cat", "hat", "red"]}


def _is_rated(answer: str) -> None:
    assert [rating["stars"] for rating in json.loads(answer)] == [5, 2]


CASES = [
    Example(
        "hello",
        "hello/chain.py",
        lambda: '{"names": ["Ada", "Grace"]}',
        _equals("Hello, Ada\nHello, Grace\n"),
    ),
    Example("subclassing", "subclassing/chain.py", lambda: _documented("subclassing"), _has_seconds),
    Example("notify", "notify/chain.py", lambda: '{"name": "Ada"}', _equals("Ada is patient\n")),
    Example("rag", "rag/chain.py", lambda: _documented("rag"), _cites_a_document),
    Example("stages", "stages/chain.py", lambda: _documented("stages"), _is_rated),
    Example("truss", "truss", lambda: _documented("truss"), _has_keywords),
    Example("arrays", "arrays/chain.py", lambda: _documented("arrays"), _adds_ten),
    Example("audio", "audio/chain.py", _audio_request, _is_transcribed),
]
by_name = pytest.mark.parametrize("example", CASES, ids=lambda e: e.name)


def _documented(name: str) -> str:
    """The arguments that the example's own README calls it with."""
    text = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    found = re.search(r"(?:chainctl call \S+|\S --input) '(\{.*?\})'", text, re.DOTALL)
    assert found, f"examples/{name}/README.md shows no call"
    return found[1]


@pytest.fixture
def answer_in_process(chainctl: Chainctl) -> Callable[[Example], str]:
    """The reference: everything in one process, objects calling objects."""

    def run(example: Example) -> str:
        file = str(EXAMPLES / example.file)
        return chainctl("run-local", file, "--input", "-", stdin=example.request()).stdout

    return run


@by_name
def test_in_process(example: Example, answer_in_process: Callable[[Example], str]) -> None:
    """The example does what its README says when it runs in one process."""
    example.check(answer_in_process(example))


@by_name
@pytest.mark.parametrize("fidelity", ["codec", "process"])
def test_run_local_ladder(
    example: Example, fidelity: str, chainctl: Chainctl, answer_in_process: Callable[[Example], str]
) -> None:
    """More fidelity does not change the answer."""
    file = str(EXAMPLES / example.file)
    done = chainctl("run-local", file, "--input", "-", "--fidelity", fidelity, stdin=example.request())
    assert done.stdout == answer_in_process(example)


@pytest.fixture
def pushed(chainctl: Chainctl) -> Iterator[Callable[[Example, str], str]]:
    """Push an example under a name of this test, and take it down afterwards."""
    up: list[tuple[str, str]] = []

    def push(example: Example, target: str) -> str:
        name = f"t-{example.name}"
        up.append((name, target))
        file = str(EXAMPLES / example.file)
        url = chainctl("push", file, "--name", name, "--target", target, timeout=900).stdout.strip()
        assert url.startswith("http://127.0.0.1:")
        return name

    yield push
    for name, target in up:
        chainctl("down", name, "--target", target)


@by_name
@pytest.mark.parametrize("target", ["local", pytest.param("docker", marks=pytest.mark.docker)])
def test_pushed(
    example: Example,
    target: str,
    chainctl: Chainctl,
    pushed: Callable[[Example, str], str],
    answer_in_process: Callable[[Example], str],
) -> None:
    """A pushed example answers as it does in process, and a second push changes nothing."""
    name = pushed(example, target)
    answer = chainctl("call", name, "-", "--target", target, stdin=example.request()).stdout
    assert answer == answer_in_process(example)
    again = chainctl("push", str(EXAMPLES / example.file), "--name", name, "--target", target, "--json")
    result = json.loads(again.stdout)
    assert result["built"] == []
    assert result["changed"] is False


def test_examples_directory_is_covered() -> None:
    """Every example in the repository is one of the cases above."""
    found = {path.parent.name for name in ("chain.py", "config.yaml") for path in EXAMPLES.glob(f"*/{name}")}
    assert found == {case.name for case in CASES}


def test_example_files_fit_the_checkout() -> None:
    """No example carries large files."""
    sizes = {path: path.stat().st_size for path in Path(EXAMPLES).rglob("*") if path.is_file()}
    assert all(size < 1_500_000 for size in sizes.values()), sizes
