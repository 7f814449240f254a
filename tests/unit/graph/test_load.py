"""Naming a chain file, and loading it in a child: what the child may do, and what becomes of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chainctl.errors import ChainDefinitionError
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.graph import ChainGraph, Introspection
from chainctl.graph.load import introspected, load
from tests.unit.graph.chain_corpus import BROKEN, GOOD, child_environ, loaded_alone

ONE = """
import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
"""


def write(directory: Path, text: str, name: str = "chain.py") -> ChainFile:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return ChainFile.parse(str(path))


def child(file: ChainFile, timeout_sec: float = 60) -> Introspection:
    return introspected(file, python=sys.executable, environ=child_environ(), timeout_sec=timeout_sec)


def test_parse() -> None:
    """A file in a package is a module of that package; a plain one is a module of its directory."""
    plain = ChainFile.parse(f"{GOOD}/diamond.py:Left")
    assert (plain.root, plain.module, plain.entrypoint) == (GOOD, "diamond", "Left")
    packaged = ChainFile.parse(f"{GOOD}/package/chain_in_package.py")
    assert (packaged.root, packaged.module, packaged.entrypoint) == (GOOD, "package.chain_in_package", None)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("absent.py", "CH0101"),
        ("", "CH0101"),
        ("text.txt", "CH0101"),
        ("typing.py", "CH0105"),
        ("uvicorn.py", "CH0105"),
        ("chain.v2.py", "CH0105"),
    ],
)
def test_parse_refuses(tmp_path: Path, name: str, code: str) -> None:
    """What is not there, is a directory, is no Python file or cannot be imported is refused at once."""
    if name and name != "absent.py":
        (tmp_path / name).touch()
    with pytest.raises(ChainDefinitionError) as caught:
        ChainFile.parse(str(tmp_path / name))
    assert [problem.code for problem in caught.value.problems] == [code]


def test_parse_follows_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative name is relative to where the command runs."""
    (tmp_path / "chain.py").touch()
    monkeypatch.chdir(tmp_path)
    assert ChainFile.parse("chain.py").path == tmp_path / "chain.py"


def test_empty_file(tmp_path: Path) -> None:
    """A file without a single byte has no chainlet, and says so."""
    assert [problem.code for problem in child(write(tmp_path, "")).problems] == ["CH0106"]


def test_load_gives_the_graph(tmp_path: Path) -> None:
    """A chain without problems is a graph."""
    graph = load(write(tmp_path, ONE), environ=child_environ())
    assert (graph.entrypoint, graph.chainlet("A").qualname, graph.callees("A")) == ("A", "A", ())
    with pytest.raises(KeyError):
        graph.chainlet("B")


def test_load_raises_all_problems(tmp_path: Path) -> None:
    """A chain with problems is an error that holds all of them."""
    file = write(tmp_path, ONE.replace("(self) -> int", "(self, a, b)"))
    with pytest.raises(ChainDefinitionError, match="3 problems") as caught:
        load(file, environ=child_environ())
    assert [problem.code for problem in caught.value.problems] == ["CH0405", "CH0404", "CH0404"]


def test_wrong_arguments_are_not_told_to_move() -> None:
    """A call that would fail anywhere is to be corrected; other work at import is to be moved."""
    (wrong,) = loaded_alone(BROKEN, "smoke_test_without_its_chain.py").problems
    assert wrong.help == "correct the arguments of this call"
    (moved,) = loaded_alone(BROKEN, "import_raises.py").problems
    assert "move work into" in moved.help


def test_child_prints_nothing_here(capfd: pytest.CaptureFixture[str]) -> None:
    """What the user's code prints while it is loaded does not appear in our output."""
    assert loaded_alone(GOOD, "prints_and_threads.py").graph is not None
    assert capfd.readouterr() == ("", "")


def test_process_that_outlives_the_child(tmp_path: Path) -> None:
    """A process that the file starts and leaves behind does not hold the answer up."""
    # It lives until this test closes the FIFO that it reads, and it has the child's stderr and more.
    fifo = tmp_path / "fifo"
    leaves = f"""
import os
import subprocess

os.mkfifo({str(fifo)!r})
subprocess.Popen(["cat", {str(fifo)!r}], close_fds=False, start_new_session=True)
"""
    assert child(write(tmp_path, leaves + ONE)).graph is not None
    fifo.open("w").close()


def test_what_the_child_wrote_last_is_shown(tmp_path: Path) -> None:
    """When the child dies, the last lines that it wrote are the note."""
    dies = "import os, sys\nfor i in range(9):\n    print('line', i, file=sys.stderr)\nsys.stderr.flush()\nos.abort()\n"
    (problem,) = child(write(tmp_path, dies)).problems
    assert problem.code == "CH0112"
    assert "by signal 6" in problem.message
    assert problem.note.endswith("line 8")
    assert "line 2" not in problem.note


def test_time_is_limited(tmp_path: Path) -> None:
    """A file that never ends loading is stopped, with the limit in the message."""
    (problem,) = child(write(tmp_path, "while True:\n    pass\n"), timeout_sec=1).problems
    assert problem.code == "CH0111"
    assert "within 1 s" in problem.message


def test_absent_name_in_a_graph() -> None:
    """A graph is a value: equal to another one of the same content."""
    one, two = (ChainGraph("a", "/r", "/r/a.py", "A", (), ()) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
