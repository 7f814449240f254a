"""Components run in a child interpreter: results, errors, output, secrets, and a child that dies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import chainctl
from chainctl.adapters.component_process import ComponentFailedError, ProcessRunner
from chainctl.components.node import Node, NodeKey
from chainctl.components.nodes import bound
from chainctl.errors import ChainDefinitionError
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.load import load

CHAIN = """
import asyncio
import os
import subprocess
import sys

import chainctl as chains


class Hello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return name


class Notify(chains.Component):
    chain: chains.Component
    token: chains.Secret
    first: chains.Component | None = None

    async def setup(self):
        print("set up")
        self.count = 0

    def on_create(self):
        print("created with", self.token.value)

    @chains.trigger("apply")
    async def start(self):
        await asyncio.sleep(0)
        self.count += 1
        return {"urls": self.chain.urls, "count": self.count, "token": "<" + self.token.value + ">"}

    @chains.trigger("apply")
    def fail(self):
        raise ValueError(f"refused: {self.token.value}")

    @chains.trigger("apply")
    def die(self):
        os._exit(7)

    @chains.trigger("apply")
    def leave(self):
        sys.exit("leaving")

    @chains.trigger("apply")
    def place(self):
        return [sorted(set(os.environ) - {"LC_CTYPE"}), sys.argv[1:], sys.stdin.read()]

    def cleanup(self):
        print("cleaned up")


weights = chains.Download("weights", url="https://example.com/w", sha256="0" * 64, dest="/srv/w")
smoke = chains.SmokeTest("smoke", chain=chains.this_chain(), payload={"q": 1})
notify = Notify("ops", chain=smoke.chain, token=chains.Secret("TOKEN"), first=weights)
other_name = notify
"""

ENVIRON = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(Path(chainctl.__file__).parent.parent)}
TOKEN = "s3cr3t-t0ken"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Node, ...]:
    """The components of the chain file, bound to a chain; the file is gone."""
    file = tmp_path_factory.mktemp("chain") / "chain.py"
    file.write_text(CHAIN)
    found = load(ChainFile.parse(str(file)), environ=ENVIRON).components()
    file.unlink()
    assert [(each.node.key.identifier, each.reaches_chain) for each in found] == [
        ("weights", False),
        ("smoke", True),
        ("ops", True),
    ]
    return bound((each.node for each in found), NodeKey("ChainDeployment", "Hello"), "digest")


@pytest.fixture
def lines() -> list[str]:
    """What the user's code prints."""
    return []


@pytest.fixture
def runner(lines: list[str]) -> Iterator[ProcessRunner]:
    """A runner with a chain and a secret."""
    chain = {"identifier": "Hello", "url": "http://localhost:1", "release": 3}
    with ProcessRunner(environ=ENVIRON, chain=chain, secrets={"TOKEN": TOKEN}, output=lines.append) as made:
        yield made


def test_component_keeps_what_it_set_up(
    nodes: tuple[Node, ...], runner: ProcessRunner, lines: list[str]
) -> None:
    """All methods of a node run on one instance, with the chain and the secret; no secret comes back."""
    notify = nodes[-1]
    runner.create(notify)
    result = {"urls": ["http://localhost:1"], "count": 1, "token": "<[REDACTED]>"}
    assert runner.run(notify, "start") == result
    assert runner.run(notify, "start") == {**result, "count": 2}
    runner.cleanup(notify)
    runner.close()
    assert lines == ["created with [REDACTED]", "set up", "cleaned up"]


def test_error_has_the_users_traceback(nodes: tuple[Node, ...], runner: ProcessRunner) -> None:
    """What the code raised is named, with its frames and without secrets."""
    with pytest.raises(ComponentFailedError) as raised:
        runner.run(nodes[-1], "fail")
    assert raised.value.message == "`fail` of Notify:ops raised ValueError: refused: [REDACTED]"
    assert "chain.py" in raised.value.traceback
    assert 'raise ValueError(f"refused: {self.token.value}")' in raised.value.traceback
    assert "chainctl/" not in raised.value.traceback
    assert TOKEN not in str(raised.value) + raised.value.traceback


def test_exit_of_the_code_is_an_error(nodes: tuple[Node, ...], runner: ProcessRunner) -> None:
    """`sys.exit` ends the trigger, not the child."""
    with pytest.raises(ComponentFailedError, match="raised SystemExit: leaving"):
        runner.run(nodes[-1], "leave")


def test_child_that_died_is_an_error_and_the_next_job_has_another(
    nodes: tuple[Node, ...], runner: ProcessRunner
) -> None:
    """The status is told; what comes next runs in a new child."""
    with pytest.raises(ComponentFailedError, match="ended with exit code 7"):
        runner.run(nodes[-1], "die")
    assert runner.run(nodes[-1], "start") is not None


def test_child_has_the_users_environment_only(nodes: tuple[Node, ...], runner: ProcessRunner) -> None:
    """Secrets are neither in the environment nor in the arguments, and stdin is empty."""
    place = runner.run(nodes[-1], "place")
    assert isinstance(place, list)
    assert place[0] == sorted(ENVIRON)
    assert len(place[1]) == 1
    assert place[2] == ""


def test_secret_without_a_value_says_so(nodes: tuple[Node, ...]) -> None:
    """The message and the hint are those of the SDK."""
    with ProcessRunner(environ=ENVIRON) as runner, pytest.raises(ComponentFailedError) as raised:
        runner.create(nodes[-1])
    assert "'TOKEN' has no value" in raised.value.message
    assert "TOKEN" in raised.value.hint


def test_file_without_components_imports_nothing_for_them(tmp_path: Path) -> None:
    """A chain file that declares none does not pay for them."""
    file = tmp_path / "chain.py"
    file.write_text(
        "import chainctl as chains\n\n\nclass Hello(chains.ChainletBase):\n"
        "    def run_remote(self) -> str:\n        return ''\n"
    )
    code = (
        "import sys; from chainctl.graph.child import examine; from chainctl.graph.chain_file import ChainFile\n"
        "graph = examine(ChainFile.parse(sys.argv[1]), []).graph\n"
        "assert graph.components() == ()\n"
        "print([m for m in sys.modules if m.startswith(('chainctl.components', 'chainctl.sdk.component'))])"
    )
    command = [sys.executable, "-c", code, str(file)]
    run = subprocess.run(command, env=ENVIRON, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_component_with_what_is_not_installed_is_refused(tmp_path: Path) -> None:
    """A placeholder for a missing package is not stored as if it were the package's."""
    file = tmp_path / "chain.py"
    file.write_text(
        "import chainctl as chains\nfrom no_such_package import render\n\n\n"
        "class Hello(chains.ChainletBase):\n"
        "    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage("
        "pip_requirements=['no-such-package']))\n\n"
        "    def run_remote(self) -> str:\n        return ''\n\n\n"
        "class Notify(chains.Component):\n    render: object\n\n\n"
        "notify = Notify('ops', render=render)\n"
    )
    with pytest.raises(ChainDefinitionError) as raised:
        load(ChainFile.parse(str(file)), environ=ENVIRON)
    (problem,) = raised.value.problems
    assert (problem.code, problem.line) == ("CH0908", 16)
    assert "`no_such_package.render` is not installed here" in problem.message


def test_chain_file_may_import_what_is_missing(tmp_path: Path) -> None:
    """A component runs although chainlets of its file need packages that are not here; its own are needed."""
    file = tmp_path / "chain.py"
    file.write_text(
        "import chainctl as chains\nimport no_such_package.nn as nn\nfrom no_such_package import render\n\n\n"
        "class Net(nn.Module):\n    pass\n\n\n"
        "class Hello(chains.ChainletBase):\n"
        "    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage("
        "pip_requirements=['no-such-package']))\n\n"
        "    def run_remote(self) -> str:\n        return ''\n\n\n"
        "class Notify(chains.Component):\n"
        "    @chains.trigger('apply')\n    def start(self):\n        return 'started'\n\n"
        "    @chains.trigger('apply')\n    def top(self):\n        render(self)\n\n"
        "    @chains.trigger('apply')\n    def net(self):\n        return nn.Linear(1)\n\n"
        "    @chains.trigger('apply')\n    def late(self):\n        import no_such_package\n\n\n"
        "notify = Notify('ops')\n"
    )
    (found,) = load(ChainFile.parse(str(file)), environ=ENVIRON).components()
    with ProcessRunner(environ=ENVIRON) as runner:
        assert runner.run(found.node, "start") == "started"
        for method in ("top", "net", "late"):
            with pytest.raises(ComponentFailedError, match="ModuleNotFoundError: No module named"):
                runner.run(found.node, method)
