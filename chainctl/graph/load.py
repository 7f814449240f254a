"""A ChainFile in; its checked ChainGraph out. The user's code runs in a child interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from chainctl.errors import ChainDefinitionError, Problem
from chainctl.graph.chain_file import ChainFile

if TYPE_CHECKING:
    from chainctl.graph.fakes import FakeFile
    from chainctl.graph.graph import ChainGraph, ChainletSpec, Introspection

LOAD_TIMEOUT_SEC = 120.0


def prepare() -> None:
    """Import what reads the answer: done while the child runs, which takes as long."""
    import chainctl.graph.graph  # noqa: F401


def load(
    file: ChainFile,
    *,
    python: str = sys.executable,
    environ: Mapping[str, str],
    timeout_sec: float = LOAD_TIMEOUT_SEC,
    meanwhile: Callable[[], None] = prepare,
) -> ChainGraph:
    """Import a chain file in a child and return its graph; `meanwhile` is called when the child has begun.

    Raises ChainDefinitionError with all problems that were found.
    """
    found = introspected(file, python=python, environ=environ, timeout_sec=timeout_sec, meanwhile=meanwhile)
    if found.graph is None:
        raise ChainDefinitionError(found.problems)
    return found.graph


def load_with_fakes(
    file: ChainFile,
    fakes: Sequence[FakeFile],
    *,
    python: str = sys.executable,
    environ: Mapping[str, str],
    timeout_sec: float = LOAD_TIMEOUT_SEC,
) -> tuple[ChainGraph, tuple[ChainletSpec, ...]]:
    """Return the graph as it is written, and what stands for some of its chainlets in a local run.

    Raises ChainDefinitionError with all problems that were found.
    """
    found = introspected(file, python=python, environ=environ, timeout_sec=timeout_sec, fakes=fakes)
    if found.graph is None:
        raise ChainDefinitionError(found.problems)
    return found.graph, found.fakes


def introspected(
    file: ChainFile,
    *,
    python: str,
    environ: Mapping[str, str],
    timeout_sec: float,
    meanwhile: Callable[[], None] = prepare,
    fakes: Sequence[FakeFile] = (),
) -> Introspection:
    """Run the child; what it does to itself (dying, hanging) becomes a problem too.

    It answers into files, not pipes: a process that the user's code starts may hold a pipe open.
    """
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(  # our own module, in the interpreter that runs us
            _command(python, answer.fileno(), file, fakes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=[answer.fileno()],
            env=dict(environ),
        )
        try:
            meanwhile()
            child.wait(timeout=timeout_sec)
        except subprocess.TimeoutExpired:
            return _problem(_too_slow(file, timeout_sec))
        finally:
            child.kill()
            child.wait()
        return _answer(child, answer, errors, file)


def _command(python: str, descriptor: int, file: ChainFile, fakes: Sequence[FakeFile]) -> Sequence[str]:
    request = json.dumps(_written(file))
    if not fakes:
        return [python, "-P", "-m", "chainctl.graph.child", str(descriptor), request]
    wanted = json.dumps([{"chainlet": fake.chainlet, "file": _written(fake.file)} for fake in fakes])
    return [python, "-P", "-m", "chainctl.graph.fake_child", str(descriptor), request, wanted]


def _written(file: ChainFile) -> Mapping[str, str | None]:
    return {
        "path": str(file.path), "root": str(file.root), "module": file.module, "entrypoint": file.entrypoint,
    }  # fmt: skip


def _answer(
    child: subprocess.Popen[bytes], answer: IO[bytes], errors: IO[bytes], file: ChainFile
) -> Introspection:
    from pydantic import TypeAdapter, ValidationError

    from chainctl.graph.graph import Introspection

    answer.seek(0)
    errors.seek(0)
    try:
        return TypeAdapter(Introspection).validate_json(answer.read())
    except ValidationError:
        return _problem(_died(file, child.returncode, errors.read()))


def _problem(problem: Problem) -> Introspection:
    from chainctl.graph.graph import Introspection

    return Introspection((problem,))


def _too_slow(file: ChainFile, seconds: float) -> Problem:
    return Problem(
        "CH0111",
        f"loading the file did not end within {seconds:g} s",
        str(file.path),
        help="move work (downloads, model loading, servers) from module level into `__init__`",
    )


def _died(file: ChainFile, status: int, errors: bytes) -> Problem:
    tail = errors.decode(errors="replace").strip().splitlines()[-5:]
    how = f"by signal {-status}" if status < 0 else f"with exit code {status}"
    return Problem(
        "CH0112",
        f"the interpreter that loaded the file ended {how} before it could answer",
        str(file.path),
        note="\n".join(tail),
        help="try `python -X faulthandler` on the file; move risky imports into `__init__`",
    )
