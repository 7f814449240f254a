"""Edits are noticed, whoever writes them and however; other files are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chainctl.adapters.edits import Edits
from chainctl.graph.graph import SourceFileRef
from tests.fakes.chains import chainlet, graph_of


def edits_of(*paths: Path) -> Edits:
    files = tuple(SourceFileRef(path.name, str(path)) for path in paths)
    return Edits(graph_of({"A": []}, specs=[replace(chainlet("A"), files=files)]))


def test_edits_between_two_looks_are_not_lost(tmp_path: Path) -> None:
    """What is written before anybody waits is told; caches and locks are not."""
    chain = tmp_path / "chain.py"
    chain.touch()
    watched = edits_of(chain)
    (tmp_path / "chainctl.lock").write_text("x")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "chain.new").write_text("x = 1")
    (tmp_path / "chain.new").replace(chain)
    (tmp_path / "more.py").touch()
    found = watched.wait()
    while found != {chain, tmp_path / "more.py"}:
        found |= watched.wait()


def test_a_directory_that_a_chain_begins_to_use_is_watched(tmp_path: Path) -> None:
    """What was edited while it was loaded is told as well."""
    chain, lib = tmp_path / "chain.py", tmp_path / "lib" / "text.txt"
    lib.parent.mkdir()
    for path in (chain, lib):
        path.touch()
    watched = edits_of(chain)
    chain.write_text("import lib")
    files = tuple(SourceFileRef(path.name, str(path)) for path in (chain, lib))
    watched.follow(graph_of({"A": []}, specs=[replace(chainlet("A"), files=files)]))
    assert watched.wait() == {chain}
    lib.write_text("words")
    assert watched.wait() == {lib}
