"""What a user meets between the first push and `down`, on every target: changes, failures, secrets, logs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Chainctl, docker_context_away, fresh_environ

TARGETS = ["local", pytest.param("docker", marks=pytest.mark.docker)]

CHAIN = """
import chainctl as chains

SMALL = chains.RemoteConfig(compute=chains.Compute(cpu_count=1, memory="256Mi"))


class Double(chains.ChainletBase):
    remote_config = SMALL

    def run_remote(self, number: int) -> int:
        return {factor} * number


@chains.mark_entrypoint("sums")
class Sum(chains.ChainletBase):
    remote_config = SMALL

    def __init__(self, double=chains.depends(Double)):
        self._double = double
        {init}

    def run_remote(self, numbers: list[int], fail: str = "") -> int:
        if fail:
            raise ValueError(fail)
        print("summing", len(numbers), "numbers")
        return sum(self._double.run_remote(n) for n in numbers)
"""


class Project:
    """A chain file of the test's own, pushed to one target under a name of its own."""

    def __init__(self, chainctl: Chainctl, directory: Path, target: str) -> None:
        self.file = directory / "sums.py"
        self.target = target
        self.name = f"t-{directory.name.lower().replace('_', '-')[:24]}".rstrip("-")
        self._chainctl = chainctl

    def write(self, factor: str = "2", init: str = "pass") -> None:
        self.file.write_text(CHAIN.format(factor=factor, init=init), encoding="utf-8")

    def run(
        self, verb: str, *arguments: str, expect: int = 0, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return self._chainctl(
            verb, *arguments, "--target", self.target, expect=expect, stdin=stdin, timeout=600
        )

    def push(self, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        return self.run("push", str(self.file), "--name", self.name, *arguments, expect=expect)

    def call(self, data: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        return self.run("call", self.name, data, expect=expect)

    def services(self) -> dict[str, str]:
        """Names of the running services by chainlet."""
        shown = json.loads(self.run("ps", self.name, "--json").stdout)["chains"]
        services = shown[0]["services"] if shown else []
        return {s["chainlet"]: s["name"] for s in services if s["status"] == "running"}


@pytest.fixture(params=TARGETS)
def project(request: pytest.FixtureRequest, chainctl: Chainctl, tmp_path: Path) -> Iterator[Project]:
    """A fresh project on each target; whatever it pushed is taken down afterwards."""
    made = Project(chainctl, tmp_path, request.param)
    made.write()
    yield made
    made.run("down", made.name, expect=0 if made.run("ps", made.name).stdout.strip() else 2)


@pytest.fixture(scope="module", params=TARGETS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A pushed project on each target, for all tests that leave it as it is."""
    directory = tmp_path_factory.mktemp("served")
    made = Project(Chainctl(fresh_environ(directory), ROOT), directory, request.param)
    made.write()
    made.push()
    yield made
    made.run("down", made.name)


def test_a_leaf_edit_replaces_the_leaf_and_its_callers_only(project: Project) -> None:
    """Names follow the graph: an edit replaces what it touches; the answer changes; nothing is left over."""
    project.push()
    first = project.services()
    assert project.call('{"numbers": [1, 2]}').stdout == "6\n"
    plan = project.run("plan", str(project.file), "--name", project.name, "--exit-code")
    assert "2 kept" in plan.stdout
    project.write(factor="3")
    changed = project.run("plan", str(project.file), "--name", project.name, "--exit-code", expect=10)
    assert "2 to replace" in changed.stdout
    project.push()
    second = project.services()
    assert project.call('{"numbers": [1, 2]}').stdout == "9\n"
    assert set(first.values()) & set(second.values()) == set()
    assert set(second) == {"Sum", "Double"}


def test_a_chainlet_that_cannot_start_leaves_the_old_release_serving(project: Project) -> None:
    """Exit code 5, the traceback shown, the old answer still given; the next good push goes on."""
    project.push()
    project.write(factor="5", init='raise RuntimeError("weights are missing")')
    failed = project.push(expect=5)
    assert "RuntimeError: weights are missing" in failed.stderr
    assert "sums.py" in failed.stderr
    assert project.call('{"numbers": [1, 2]}').stdout == "6\n"
    project.write(factor="5")
    project.push()
    assert project.call('{"numbers": [1, 2]}').stdout == "15\n"


def test_errors_at_the_endpoint(served: Project) -> None:
    """Wrong arguments name their path, user exceptions come with their frames; exit code 7 for both."""
    wrong = served.call('{"numbers": [1, "x"], "extra": 1}', expect=7)
    assert "numbers.1" in wrong.stderr
    assert "extra" in wrong.stderr
    raised = served.call('{"numbers": [], "fail": "no luck"}', expect=7)
    assert "ValueError: no luck" in raised.stderr
    assert "raise ValueError(fail)" in raised.stderr or "sums.py" in raised.stderr
    served.call("{not json", expect=2)


def test_logs_are_interleaved_and_filtered(served: Project) -> None:
    """What user code prints is there under the chainlet's name; filters work."""
    served.call('{"numbers": [1, 2, 3]}')
    assert "Sum | summing 3 numbers" in served.run("logs", served.name).stdout
    only = served.run("logs", served.name, "--chainlet", "Double", "--json").stdout
    assert {json.loads(line)["chainlet"] for line in only.splitlines()} == {"Double"}
    assert len(served.run("logs", served.name, "--tail", "1").stdout.splitlines()) == 1


def test_problems_stop_everything_before_it_begins(served: Project) -> None:
    """A broken chain file is exit code 3, and nothing that runs is touched."""
    before = served.services()
    served.file.write_text(
        "import chainctl as chains\nclass A(chains.ChainletBase):\n    x = (\n", encoding="utf-8"
    )
    assert "CH0102" in served.push(expect=3).stderr
    assert served.services() == before
    served.write()


def test_down_leaves_nothing(project: Project) -> None:
    """After `down` the chain is gone, and `down` again says so."""
    project.push()
    project.run("down", project.name)
    assert project.run("ps", project.name).stdout == ""
    assert "there is no chain" in project.run("call", project.name, "{}", expect=2).stderr


def test_two_pushes_at_once(project: Project) -> None:
    """One of them gets the lock; the other says who holds it (exit code 9), or finds all done."""
    slow = project.file.read_text(encoding="utf-8")
    project.file.write_text(
        slow.replace("        pass\n", "        import time; time.sleep(3)\n"), encoding="utf-8"
    )
    codes: list[int] = []
    lines: list[str] = []

    def push() -> None:
        command = [*Chainctl.COMMAND, "push", str(project.file)]
        done = subprocess.run(
            [*command, "--name", project.name, "--target", project.target],
            env=dict(project._chainctl.environ), capture_output=True, text=True, check=False,
        )  # fmt: skip
        codes.append(done.returncode)
        lines.append(done.stderr)

    threads = [threading.Thread(target=push) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) in ([0, 9], [0, 0]), lines
    assert project.call('{"numbers": [4]}').stdout == "8\n"


def test_interrupted_push_is_resumed_by_the_next(project: Project) -> None:
    """`kill -9` in the middle of a push; pushing again converges and leaves nothing double."""
    command = [*Chainctl.COMMAND, "push", str(project.file)]
    process = subprocess.Popen(
        [*command, "--name", project.name, "--target", project.target],
        env=dict(project._chainctl.environ), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "+ service" in line:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    project.push()
    assert set(project.services()) == {"Sum", "Double"}
    assert project.call('{"numbers": [4]}').stdout == "8\n"


SECRET_CHAIN = """
import chainctl as chains


@chains.mark_entrypoint("vault")
class Reader(chains.ChainletBase):
    remote_config = chains.RemoteConfig(assets=chains.Assets(secret_keys=["api_token"]))

    def __init__(self, context: chains.DeploymentContext = chains.depends_context()):
        self._context = context

    def run_remote(self) -> int:
        return len(self._context.secrets["api_token"])
"""


def test_secrets_are_named_when_missing_and_rotate(project: Project) -> None:
    """A missing secret is named before anything is built; a new value renews its reader under its name."""
    project.file.write_text(SECRET_CHAIN, encoding="utf-8")
    missing = project.push(expect=2)
    assert "api_token" in missing.stderr
    assert "Reader" in missing.stderr
    secrets = project.file.parent / "secrets.env"
    secrets.write_text("api_token=four\n", encoding="utf-8")
    project.push("--secrets", str(secrets))
    before = project.services()
    assert project.call("{}").stdout == "4\n"
    secrets.write_text("api_token=longer\n", encoding="utf-8")
    project.push("--secrets", str(secrets))
    assert project.call("{}").stdout == "6\n"
    assert project.services() == before


def test_inner_chainlets_and_the_door_over_http(served: Project) -> None:
    """The door serves schema and health over plain HTTP; a forged internal token changes nothing."""
    url = served.push().stdout.strip()
    with urllib.request.urlopen(f"{url}/schema") as answer:
        assert json.load(answer)["input"]["required"] == ["numbers"]
    request = urllib.request.Request(
        f"{url}/run_remote", b'{"numbers": [1]}',
        {"content-type": "application/json", "x-chainctl-token": "forged"},
    )  # fmt: skip
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer) == 2


def test_engine_that_does_not_answer(chainctl: Chainctl) -> None:
    """The engine was asked for and is not there: exit code 6 and what to do."""
    there = Chainctl({**chainctl.environ, "DOCKER_HOST": "unix:///nowhere.sock"}, chainctl.directory)
    done = there("push", "examples/hello/chain.py", "--target", "docker", expect=6)
    assert "hint" in done.stderr


def test_without_an_engine_processes_are_used_and_it_is_said(chainctl: Chainctl, tmp_path: Path) -> None:
    """With `auto`, a missing engine leads to local processes, with one line that says so; not one that was named."""
    named = Chainctl({**chainctl.environ, "DOCKER_HOST": "unix:///nowhere.sock"}, chainctl.directory)
    assert "No Docker Engine listens" in named("plan", "examples/hello/chain.py", expect=6).stderr
    environ = {k: v for k, v in chainctl.environ.items() if k != "DOCKER_HOST"}
    away = Chainctl({**environ, "DOCKER_CONFIG": str(docker_context_away(tmp_path))}, chainctl.directory)
    done = away("plan", "examples/hello/chain.py")
    assert "using local processes" in done.stderr
    assert done.stdout.count("+ service") == 2


WAITING_CHAIN = """
import chainctl as chains


class Slow(chains.ChainletBase):
    def __init__(self):
        import threading
        threading.Event().wait(2)

    def run_remote(self) -> int:
        return 41


@chains.mark_entrypoint("waiting")
class Eager(chains.ChainletBase):
    def __init__(self, slow: Slow = chains.depends(Slow)):
        self._answer = slow.run_remote() + 1

    def run_remote(self) -> int:
        return self._answer
"""


def test_a_call_in_init_waits_for_the_chainlet_that_it_calls(project: Project) -> None:
    """All services start at once; one that needs another while it starts waits for it."""
    project.file.write_text(WAITING_CHAIN, encoding="utf-8")
    project.push()
    assert project.call("{}").stdout == "42\n"


def test_a_first_push_that_fails_can_be_found_and_taken_down(project: Project, chainctl: Chainctl) -> None:
    """`logs` and `down` find a chain without being told its target, although no release was recorded."""
    project.write(init='raise RuntimeError("no weights")')
    project.push(expect=5)
    assert "no weights" in chainctl("logs", project.name).stdout
    chainctl("down", project.name)
    assert project.run("ps", project.name).stdout == ""


def test_logs_of_a_chainlet_that_is_not_there(served: Project) -> None:
    """A wrong name is an error that lists the right ones."""
    assert "Double, Sum" in served.run("logs", served.name, "--chainlet", "sum", expect=2).stderr


@pytest.mark.docker
def test_a_failing_build_is_shown_and_touches_nothing(chainctl: Chainctl, tmp_path: Path) -> None:
    """Exit code 4 with the instruction and what it wrote; the old release still answers."""
    project = Project(chainctl, tmp_path, "docker")
    project.write()
    try:
        project.push()
        before = project.services()
        broken = 'SMALL = chains.RemoteConfig(build_commands=["echo the compiler is missing; exit 3"])'
        text = project.file.read_text(encoding="utf-8")
        project.file.write_text(
            text.replace("class Double", f"{broken}\n\n\nclass Double", 1), encoding="utf-8"
        )
        failed = project.push(expect=4)
        assert "RUN echo the compiler is missing; exit 3" in failed.stderr
        assert "\n  the compiler is missing\n" in failed.stderr
        assert failed.stdout == ""
        assert project.services() == before
        assert project.call('{"numbers": [1, 2]}').stdout == "6\n"
    finally:
        project.run("down", project.name)
