"""Components applied from a script: the class of the original description, as it is printed there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import fresh_environ

SLACK = """\
import json, os
LOG = os.environ["SLACK_LOG"]
def _say(*words):
    with open(LOG, "a") as log:
        log.write(" ".join(map(str, words)) + "\\n")
class Client:
    def register(self, name): _say("register", name)
    def teardown(self, name): _say("teardown", name)
    def send_message(self, text): _say("send", text.partition(":")[0])
def connect(url):
    _say("connect", url)
    return Client()
"""
SEED = """\
import typing as t
import inspect
import os
import slack
from chainctl import Component, connect, trigger


class MyComponent(Component):
    a: int
    b: str
    c: t.Dict
    d: t.Callable | None = None

    # This is called directly after `MyComponent.__init__`
    def postinit(self):
        if self.d is not None:
            assert {'a', 'b', 'c'}.issubset(set(inspect.signature(self.d).parameters.keys()))

    # This is called before any `@trigger` if not already called
    def setup(self):
        self.client = slack.connect(os.environ["SLACK_URL"])

    # This is called just after `MyComponent` is saved to the `db.databackend`.
    def on_create(self):
        self.setup()
        self.client.register(self.identifier)

    # This is called when `MyComponent` is removed using `db.remove`
    def cleanup(self):
        self.client.teardown(self.identifier)

    # Methods with @trigger run as jobs
    @trigger('apply')
    def start(self):
        self.client.send_message(f'initializing {self.huuid}')

    # An order of execution can be set with `depends_on`
    # The job can depend on optional parameter being specified with `requires`
    @trigger('apply', depends_on='start', requires='d')
    def go(self):
        self.d(a=self.a, b=self.b, c=self.c)


def told(a, b, c):
    slack._say("d", a, b, c["k"])


if __name__ == "__main__":
    db = connect()
    done = db.apply(MyComponent("mine", a=1, b="two", c={"k": 3}, d=told))
    print(done.is_ok, [job.status.value for job in done.jobs], len(db.show()))
    print(db.databackend is db.metadata, db.artifact_store is not None)
"""


@pytest.fixture
def here(tmp_path: Path) -> dict[str, str]:
    """An environment with its own state, and a slack that writes to a file."""
    library = tmp_path / "lib"
    library.mkdir()
    (library / "slack.py").write_text(SLACK)
    (tmp_path / "mine.py").write_text(SEED)
    more = {"SLACK_URL": "u", "SLACK_LOG": str(tmp_path / "log"), "PYTHONPATH": str(library)}
    return {**fresh_environ(tmp_path), **more}


def run(here: dict[str, str], *arguments: str, cwd: Path | str = "/") -> str:
    done = subprocess.run(
        [sys.executable, *arguments], env=here, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_class_of_the_description_runs_as_it_is_printed(here: dict[str, str], tmp_path: Path) -> None:
    """Each step once; nothing the second time; its cleanup in another process, without its file."""
    log = tmp_path / "log"
    assert run(here, "mine.py", cwd=tmp_path).splitlines() == ["True ['success', 'success'] 1", "True True"]
    assert log.read_text().splitlines() == [
        "connect u", "register mine", "send initializing MyComponent", "d 1 two 3",
    ]  # fmt: skip
    log.write_text("")
    run(here, "mine.py", cwd=tmp_path)
    assert log.read_text() == ""
    (tmp_path / "mine.py").rename(tmp_path / "lib" / "elsewhere.txt")
    shown = run(here, "-c", "import chainctl; print(chainctl.connect().show()[0].huuid)")
    assert shown.startswith("MyComponent:mine:")
    assert log.read_text() == ""
    run(here, "-c", "import chainctl; chainctl.connect().remove('MyComponent', 'mine')")
    assert log.read_text().splitlines() == ["connect u", "teardown mine"]
    assert run(here, "-c", "import chainctl; print(chainctl.connect().show())") == "()\n"


def test_a_version_is_rolled_back_and_loaded(here: dict[str, str], tmp_path: Path) -> None:
    """A rollback is a new revision of an older one; a loaded component has its fields and its code."""
    code = """
import mine, chainctl
db = chainctl.connect()
for a in (1, 2):
    db.apply(mine.MyComponent("x", a=a, b="b", c={"k": 0}))
assert db.load("MyComponent", "x").a == 2
assert db.load("MyComponent", "x", revision=1).a == 1
assert db.rollback("MyComponent", "x").is_ok
loaded = db.load("MyComponent", "x")
print(loaded.a, [r.rev for r in db.history("MyComponent", "x")], loaded.status)
"""
    assert run(here, "-c", code, cwd=tmp_path) == "1 [3, 2, 1] ready\n"


SHOP = """
import chainctl as chains


@chains.mark_entrypoint("t-shop")
class Shop(chains.ChainletBase):
    def run_remote(self) -> int:
        return {answer}
"""
DEPLOY = """
import json, urllib.request
import chainctl as chains


class Announce(chains.Component):
    chain: chains.ChainDeployment

    @chains.trigger("apply")
    def say(self) -> int:
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.chain.url}/run_remote", b"{}", headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


with chains.connect() as db:
    shop = chains.ChainDeployment("t-shop", file="shop.py")
    done = db.apply(Announce("ops", chain=shop))
    print([str(c.action) for c in done.changes], [j.result for j in done.jobs if j], shop.release, shop.target)
"""


def test_a_chain_is_applied_from_python(here: dict[str, str], tmp_path: Path) -> None:
    """Which is to push it; what refers to it comes after it, and anew after each other release."""
    here = {**here, "CHAINCTL_TARGET": "local"}
    (tmp_path / "deploy.py").write_text(DEPLOY)
    chain = tmp_path / "shop.py"
    try:
        for answer, said in (
            (1, "['create', 'create'] [1] 1 local"),
            (1, "['keep', 'keep'] [1] 1 local"),
            (2, "['update', 'update'] [2] 2 local"),
        ):
            chain.write_text(SHOP.format(answer=answer))
            assert run(here, "deploy.py", cwd=tmp_path).splitlines()[-1] == said
        failed = subprocess.run(
            [sys.executable, "-c", "import chainctl as c; c.connect().apply(c.ChainDeployment('t-shop'))"],
            env=here, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert 'ChainDeployment("t-shop", file="chain.py")' in failed.stderr
    finally:
        run(here, "-m", "chainctl.cli.main", "down", "t-shop")
