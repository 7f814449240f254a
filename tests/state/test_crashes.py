"""Commands that are killed at any point, or run at the same time: nothing is lost, nothing is there twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from chainctl.errors import StateError
from chainctl.state.artifacts import DirectoryArtifacts
from chainctl.state.database import Database
from chainctl.state.db import Db
from chainctl.state.ledger import Ledger
from tests.conftest import ROOT
from tests.state.nodes import Recorder, node

STEPS = {"one": (), "two": ("one",), "three": ("two",)}
NODES = (node("a", triggers=STEPS, blobs=[b"a" * 1000]), node("b", children=["a"], blobs=[b"b" * 1000]))
PRELUDE = """
import os, signal, sys
from pathlib import Path
import chainctl.state.revisions as revisions
from chainctl.state.artifacts import DirectoryArtifacts
from chainctl.state.database import Database
from chainctl.state.db import Db
from tests.state.nodes import Recorder
from tests.state.test_crashes import NODES
url, directory = sys.argv[1:3]
def die():
    os.kill(os.getpid(), signal.SIGKILL)
def open_db():
    return Db(Database.open(url), DirectoryArtifacts(Path(directory)))
"""
POINTS = {
    "while the tables are made": """
import chainctl.state.tables as tables
made = tables.metadata.create_all
def create_all(connection):
    made(connection)
    die()
tables.metadata.create_all = create_all
open_db()
""",
    "after a blob": """
class Dying(DirectoryArtifacts):
    def put(self, data):
        found = DirectoryArtifacts.put(self, data)
        die()
Db(Database.open(url), Dying(Path(directory))).apply_nodes(NODES, Recorder())
""",
    "inside of the transaction": """
save = revisions.Rows.save
def dying(self, node, *rest, **more):
    found = save(self, node, *rest, **more)
    if node.key.identifier == "b":
        die()
    return found
revisions.Rows.save = dying
open_db().apply_nodes(NODES, Recorder())
""",
    **{
        f"in {what}": f"open_db().apply_nodes(NODES, Recorder(before=lambda what: what == {what!r} and die()))"
        for what in ("a.on_create", "a.one", "a.two", "a.three", "b.on_create", "b.start")
    },
}


def run(code: str, url: str, directory: Path) -> subprocess.Popen[str]:
    """Run code in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, url, str(directory)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_command_is_finished_by_the_next(point: str, url: str, tmp_path: Path) -> None:
    """Finished jobs are not run again; whatever was cut off is."""
    child = run(POINTS[point], url, tmp_path / "artifacts")
    _, said = child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL, said
    with Db(Database.open(url), DirectoryArtifacts(tmp_path / "artifacts")) as db:
        done_before = {f"{j.key.identifier}.{j.method}" for j in db.jobs() if j.status.is_done}
        runner = Recorder()
        assert db.apply_nodes(NODES, runner).is_ok
        assert not done_before & set(runner.ran)
        assert all(job.status.is_done for job in db.jobs())
        assert [r.rev for r in db.history("Thing", "a")] == [1]
        assert {r.status for r in db.show()} == {"ready"}
        assert db.gc(young_sec=-1) == ()
        again = Recorder()
        db.apply_nodes(NODES, again)
        assert again.ran == []


@pytest.mark.parametrize("point", ["a.cleanup", "b.cleanup"])
def test_a_killed_removal_is_finished_by_the_next(point: str, url: str, tmp_path: Path) -> None:
    with Db(Database.open(url), DirectoryArtifacts(tmp_path / "artifacts")) as db:
        db.apply_nodes(NODES, Recorder())
        keys = [one.key for one in NODES]
        code = f"""
keys = [one.key for one in NODES]
open_db().remove_keys(keys, Recorder(before=lambda what: what == {point!r} and die()))
"""
        child = run(code, url, tmp_path / "artifacts")
        _, said = child.communicate(timeout=60)
        assert child.returncode == -signal.SIGKILL, said
        left = [key for key in keys if any(r.key == key for r in db.show())]
        assert left
        db.remove_keys(left, Recorder())
        assert db.show() == ()


def test_several_at_once_give_every_revision_once(url: str, tmp_path: Path) -> None:
    """Four commands apply five states each, as fast as they can, also to an empty database."""
    code = """
from tests.state.nodes import node
for number in range(5):
    db = open_db()
    db.apply_nodes([node("a", f"{os.getpid()}-{number}")], Recorder(), wait=60)
    db.close()
"""
    children = [run(code, url, tmp_path / "artifacts") for _ in range(4)]
    for child in children:
        _, said = child.communicate(timeout=120)
        assert child.returncode == 0, said
    with Db(Database.open(url), DirectoryArtifacts(tmp_path / "artifacts")) as db:
        found = db.history("Thing", "a")
        assert [r.rev for r in found] == list(range(20, 0, -1))
        assert Counter(r.data["value"].partition("-")[0] for r in found) == {str(c.pid): 5 for c in children}


def test_without_waiting_all_but_one_are_refused(url: str, tmp_path: Path) -> None:
    """And say who is at work."""
    code = """
from chainctl.errors import LockHeldError
try:
    open_db().apply_nodes(NODES, Recorder())
except LockHeldError as error:
    print(error.message, flush=True)
"""
    with Db(Database.open(url), DirectoryArtifacts(tmp_path / "artifacts")) as db, db._locked(0):
        child = run(code, url, tmp_path / "artifacts")
        said, _ = child.communicate(timeout=60)
    assert said == f"process {os.getpid()} is changing components right now\n"


def test_a_state_of_a_newer_chainctl_is_refused(url: str, tmp_path: Path) -> None:
    """It is not touched."""
    from chainctl.state.tables import meta

    database = Database.open(url)
    with database.writing() as connection:
        connection.execute(meta.update().values(value="99"))
    database.close()
    with pytest.raises(StateError, match="newer chainctl") as raised:
        Database.open(url)
    assert "upgrade" in raised.value.hint
    if url.startswith("sqlite"):
        with pytest.raises(StateError, match="newer chainctl"):
            Ledger(tmp_path, "docker").chains()


def test_a_schema_that_is_no_version_is_damage(url: str, tmp_path: Path) -> None:
    """Not a bug of chainctl."""
    from chainctl.state.tables import meta

    database = Database.open(url)
    with database.writing() as connection:
        connection.execute(meta.update().values(value="abc"))
    database.close()
    with pytest.raises(StateError, match="its schema is 'abc', which is no version"):
        Database.open(url)
    if url.startswith("sqlite"):
        with pytest.raises(StateError, match="is damaged"):
            Ledger(tmp_path, "docker").chains()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://u:hunter2@127.0.0.1:1/x", "can not be used"),
        ("mysql://u:hunter2@h/x", "can not be used"),
        ("nonsense hunter2", "can not be used"),
    ],
)
def test_a_database_that_can_not_be_used_is_said_without_its_password(url: str, said: str) -> None:
    with pytest.raises(StateError, match=said) as raised:
        Database.open(url)
    assert "hunter2" not in str(raised.value)
    assert raised.value.hint
