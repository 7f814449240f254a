"""The ledger numbers releases, keeps files whole, and lets one process at a time change a chain."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.build.input_table import InputTable
from chainctl.build.inputs import Input, InputKind
from chainctl.deploy.release import FrontDoor, Release, SecretRef
from chainctl.deploy.settings import DeploySettings
from chainctl.errors import ChainctlError, ExitCode, LockHeldError, UsageError
from chainctl.state.ledger import Ledger, Record
from tests.fakes.chains import chainlet, graph_of, release_of

FULL = {
    "compute": {"gpu": "L4", "memory": "512Mi"},
    "assets": {"secret_keys": ["KEY"]},
    "options": {"env_variables": {"A": "1", "B": "two\nlines"}},
}


def release(chain: str = "shop") -> Release:
    """A release that uses everything a release can hold."""
    graph = graph_of({"Root": ["Leaf"], "Leaf": []}, specs=[chainlet("Leaf", config=FULL)], chain=chain)
    door = FrontDoor("0.0.0.0", 80, "door:1", SecretRef("k", "1"), SecretRef("t", "2"))
    return release_of(graph, settings=DeploySettings(front_door=door), fingerprints={"KEY": "0"})


def record(number: int = 1, chain: str = "shop") -> Record:
    """One shipped release."""
    file = Input(InputKind.FILE, "a.py", "0x", "lib/a.py", "executable", "imported by b.py:1")
    inputs = InputTable.of({"Leaf": [file], "Root": [file]})
    return Record(
        number, release(chain), 1_000_000.25, "/p/chain.py", user="me", revision="abc", inputs=inputs
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger."""
    return Ledger(tmp_path, "memory")


def stored(tmp_path: Path, number: int = 1) -> str:
    """What the state has of a release."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        query = "SELECT data FROM revision WHERE identifier = 'shop' AND rev = ?"
        return str(connection.execute(query, [number]).fetchone()[0])


def store(tmp_path: Path, text: str) -> None:
    """Write something else in place of a release."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection, connection:
        connection.execute("UPDATE revision SET data = ?", [text])


# --- releases --------------------------------------------------------------------------------


def test_an_empty_ledger_knows_nothing(ledger: Ledger) -> None:
    """No chain, no latest, and the first number is 1."""
    assert ledger.chains() == []
    assert ledger.latest("shop") is None
    assert ledger.next_number("shop") == 1


def test_a_record_comes_back_as_it_was(ledger: Ledger) -> None:
    """Field by field, nested values included."""
    ledger.record(record())
    assert ledger.load("shop", 1) == record()
    assert ledger.latest("shop") == record()
    assert ledger.load("shop", 1).release.digest == record().release.digest


def test_a_record_without_inputs_still_loads(ledger: Ledger, tmp_path: Path) -> None:
    """Older versions have written none."""
    ledger.record(record())
    fields = json.loads(stored(tmp_path))
    del fields["inputs"]
    store(tmp_path, json.dumps(fields))
    assert ledger.load("shop", 1) == replace(record(), inputs=InputTable())


def test_an_input_that_is_not_in_its_table_is_damage(ledger: Ledger, tmp_path: Path) -> None:
    """As any other record that makes no sense."""
    ledger.record(record())
    fields = json.loads(stored(tmp_path))
    for place in (1, -1):
        fields["inputs"]["images"]["Leaf"] = [place]
        store(tmp_path, json.dumps(fields))
        with pytest.raises(ChainctlError, match="is damaged"):
            ledger.load("shop", 1)


def test_releases_are_numbered_one_after_the_other(ledger: Ledger) -> None:
    """By number, not by the order of names; beyond six digits too."""
    for number in (1, 2, 10, 999_999, 1_000_000):
        ledger.record(record(number))
        assert ledger.next_number("shop") == number + 1
    latest = ledger.latest("shop")
    assert latest is not None
    assert latest.number == 1_000_000


def test_a_number_is_given_once(ledger: Ledger) -> None:
    """A release never changes."""
    ledger.record(record())
    with pytest.raises(ChainctlError, match="release 1 of shop exists already"):
        ledger.record(replace(record(), user="other"))
    assert ledger.load("shop", 1).user == "me"


def test_chains_are_those_with_a_release(ledger: Ledger) -> None:
    """A token or a lock is none."""
    ledger.token("only-a-token")
    ledger.record(record(chain="b"))
    ledger.record(record(chain="a"))
    assert ledger.chains() == ["a", "b"]


def test_targets_do_not_see_each_other(tmp_path: Path, ledger: Ledger) -> None:
    """One directory each."""
    ledger.record(record())
    assert Ledger(tmp_path, "docker").chains() == []


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', "{}", '{"schema": "9"}', '{"schema": 1}'])
def test_a_damaged_release_is_named_with_what_to_do(text: str, ledger: Ledger, tmp_path: Path) -> None:
    """Whatever is in its place."""
    ledger.record(record())
    store(tmp_path, text)
    with pytest.raises(ChainctlError, match="a release of shop is damaged") as raised:
        ledger.latest("shop")
    assert "push again" in raised.value.hint


def test_a_release_of_a_newer_chainctl_is_not_guessed_at(ledger: Ledger, tmp_path: Path) -> None:
    """The hint is to upgrade."""
    ledger.record(record())
    fields = json.loads(stored(tmp_path)) | {"schema": 2, "unknown": {}}
    store(tmp_path, json.dumps(fields))
    with pytest.raises(ChainctlError, match="newer chainctl") as raised:
        ledger.latest("shop")
    assert "upgrade" in raised.value.hint


def test_a_release_that_is_not_there_is_named(ledger: Ledger) -> None:
    """By number and chain."""
    with pytest.raises(ChainctlError, match="no release 7 of shop"):
        ledger.load("shop", 7)


def test_forgetting_leaves_nothing_of_a_chain(ledger: Ledger, tmp_path: Path) -> None:
    """Its neighbour stays; forgetting twice is no error."""
    for chain in ("shop", "other"):
        ledger.record(record(chain=chain))
        ledger.token(chain)
    ledger.forget("shop")
    ledger.forget("shop")
    assert ledger.chains() == ["other"]
    assert [p.name for p in (tmp_path / "memory").iterdir()] == ["other"]


@pytest.mark.parametrize("name", ["", ".", "..", "../docker", "/tmp", "a/b", "a\0b"])
def test_a_name_leads_nowhere_else(name: str, ledger: Ledger, tmp_path: Path) -> None:
    """It may come from a command line: nothing outside the chain's own directory is touched."""
    ledger.record(record())
    for use in (ledger.forget, ledger.token, ledger.latest, ledger.next_number):
        with pytest.raises(UsageError, match="no name of a chain"):
            use(name)
    with pytest.raises(UsageError), ledger.lock(name):
        pass
    assert ledger.chains() == ["shop"]


# --- the token -------------------------------------------------------------------------------


def test_a_token_is_stable_private_and_the_chains_own(ledger: Ledger, tmp_path: Path) -> None:
    """It is made once, and only the user can read it."""
    token = ledger.token("shop")
    assert len(token) >= 43
    assert Ledger(tmp_path, "memory").token("shop") == token
    assert ledger.token("other") != token
    assert stat.S_IMODE((tmp_path / "memory" / "shop" / "token").stat().st_mode) == 0o600


def test_a_forgotten_chain_gets_another_token(ledger: Ledger) -> None:
    """What was released before is not trusted any more."""
    before = ledger.token("shop")
    ledger.forget("shop")
    assert ledger.token("shop") != before


# --- processes -------------------------------------------------------------------------------

PRELUDE = """
import os, sys
from pathlib import Path
from chainctl.state.ledger import Ledger, Record
ledger = Ledger(Path(sys.argv[1]), "memory")
def wait():
    print("here", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def process(tmp_path: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    """Another process with the same ledger; `wait()` in it says "here" and goes on with a line on stdin."""
    child = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


def say(child: subprocess.Popen[str]) -> str:
    """Read a line from another process."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def let_go(child: subprocess.Popen[str]) -> None:
    """Let another process go on."""
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


HOLD = "with ledger.lock('shop'):\n    wait()\n"


def test_a_held_lock_names_its_process_and_is_freed_by_a_kill(ledger: Ledger, tmp_path: Path) -> None:
    """The error says who; the system frees the lock of the dead."""
    with process(tmp_path, HOLD) as holder:
        assert say(holder) == "here"
        with (
            pytest.raises(LockHeldError, match=f"process {holder.pid} is changing shop") as raised,
            ledger.lock("shop"),
        ):
            pass
        assert raised.value.exit_code is ExitCode.LOCK_HELD
        with ledger.lock("other"):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with ledger.lock("shop"):
            pass


def test_a_lock_is_free_after_its_block_and_after_an_error(ledger: Ledger) -> None:
    """And it is not given twice in one process either."""
    with ledger.lock("shop"), pytest.raises(LockHeldError, match=str(os.getpid())), ledger.lock("shop"):
        pass
    with pytest.raises(KeyError), ledger.lock("shop"):
        raise KeyError
    with ledger.lock("shop"):
        pass


def test_a_lock_survives_that_its_chain_is_forgotten(ledger: Ledger, tmp_path: Path) -> None:
    """Its holder may write on; nobody else comes in between."""
    code = "with ledger.lock('shop'):\n    ledger.forget('shop')\n    wait()\n"
    with process(tmp_path, code) as holder:
        assert say(holder) == "here"
        with pytest.raises(LockHeldError), ledger.lock("shop"):
            pass
        let_go(holder)
        assert holder.wait() == 0
    with ledger.lock("shop"):
        pass


def test_a_child_of_the_holder_does_not_keep_the_lock(ledger: Ledger, tmp_path: Path) -> None:
    """A supervisor that a push started lives on, and the next push must not wait for it."""
    code = (
        "import subprocess\n"
        "with ledger.lock('shop'):\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'])\n"
        "print('done', flush=True)\nsys.stdin.readline()\nchild.kill()\n"
    )
    with process(tmp_path, code) as holder:
        assert say(holder) == "done"
        with ledger.lock("shop"):
            pass
        let_go(holder)


def test_a_writer_that_is_killed_in_the_middle_leaves_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """Killed before its transaction is whole: the release is not there, and its number is free."""
    ledger.record(record())
    code = (
        "import dataclasses\n"
        "ledger._require_lock = lambda *_: wait()\n"
        "ledger.record(dataclasses.replace(ledger.load('shop', 1), number=2))\n"
    )
    with process(tmp_path, code) as writer:
        assert say(writer) == "here"
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    assert ledger.latest("shop") == record()
    ledger.record(record(2))
    assert ledger.next_number("shop") == 3


def test_all_processes_get_the_same_token(tmp_path: Path) -> None:
    """Whoever asks first; the others wait for it."""
    code = "wait()\nprint(ledger.token('shop'), flush=True)\n"
    with (
        process(tmp_path, code) as a, process(tmp_path, code) as b,
        process(tmp_path, code) as c, process(tmp_path, code) as d,
    ):  # fmt: skip
        children = (a, b, c, d)
        assert [say(child) for child in children] == ["here"] * 4
        for child in children:
            let_go(child)
        tokens = {say(child) for child in children}
    assert tokens == {Ledger(tmp_path, "memory").token("shop")}


def test_processes_number_their_releases_without_gaps(ledger: Ledger, tmp_path: Path) -> None:
    """Each takes the lock until it gets it; every number is given once."""
    ledger.record(record())
    code = (
        "import dataclasses\n"
        "from chainctl.errors import LockHeldError\n"
        "wait()\n"
        "left = 5\n"
        "while left:\n"
        "    try:\n"
        "        with ledger.lock('shop'):\n"
        "            first = ledger.load('shop', 1)\n"
        "            ledger.record(dataclasses.replace(first, number=ledger.next_number('shop')))\n"
        "            left -= 1\n"
        "    except LockHeldError:\n"
        "        pass\n"
    )
    with process(tmp_path, code) as a, process(tmp_path, code) as b, process(tmp_path, code) as c:
        assert [say(child) for child in (a, b, c)] == ["here"] * 3
        for child in (a, b, c):
            let_go(child)
        assert [child.wait() for child in (a, b, c)] == [0, 0, 0]
    assert ledger.next_number("shop") == 17
    assert [ledger.load("shop", n).number for n in range(1, 17)] == list(range(1, 17))


def test_records_from_before_registries_are_read(ledger: Ledger, tmp_path: Path) -> None:
    """Their services were published nowhere, and their digest is the same."""
    ledger.record(record())
    older = json.loads(stored(tmp_path))
    for service in older["release"]["services"]:
        del service["published"]
    store(tmp_path, json.dumps(older))
    assert ledger.load("shop", 1) == record()
    images = {service.chainlet: f"r.test/{service.chainlet}@sha256:1" for service in release().services}
    assert release().published_as(images).digest != ledger.load("shop", 1).release.digest
