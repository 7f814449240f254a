"""`run-local --replace`: another chain, or a class, in the place of a chainlet, at every fidelity."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Chainctl
from tests.scenarios.local_run import free_port, local_run

CHAIN = """\
from collections.abc import AsyncIterator

import numpy as np
import pydantic

import chainctl as chains
from chainctl.pydantic_numpy import NumpyArrayField

NUMPY = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["numpy"]))


class Job(pydantic.BaseModel):
    text: str
    values: NumpyArrayField


class Deep(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(pip_requirements=["numpy"]),
        assets=chains.Assets(secret_keys=["nobody-has-it"]),
    )

    async def run_remote(self, job: Job) -> Job:
        raise RuntimeError("it has no model here")


class Model(chains.ChainletBase):
    remote_config = NUMPY

    def __init__(self, deep: Deep = chains.depends(Deep)) -> None:
        self._deep = deep

    async def run_remote(self, job: Job, times: int = 2) -> Job:
        return await self._deep.run_remote(job)


class Words(chains.ChainletBase):
    remote_config = NUMPY

    async def run_remote(self, text: str) -> AsyncIterator[str]:
        for word in text.split():
            yield word


@chains.mark_entrypoint
class Front(chains.ChainletBase):
    remote_config = NUMPY

    def __init__(self, model: Model = chains.depends(Model), words: Words = chains.depends(Words)) -> None:
        self._model = model
        self._words = words

    async def run_remote(self, text: str) -> str:
        words = [word async for word in self._words.run_remote(text)]
        job = await self._model.run_remote(Job(text=text, values=NumpyArrayField(np.arange(3.0))))
        return f"{job.text} {job.values.array.sum()} {'+'.join(words)}"
"""
FAKES = """\
from collections.abc import AsyncIterator

import chainctl as chains
from chain import Job


class FakeModel:
    async def run_remote(self, job: Job, times: int = 2) -> Job:
        return Job(text=job.text * times, values=job.values)


class FakeWords(chains.ChainletBase):
    def __init__(self, context: chains.DeploymentContext = chains.depends_context()) -> None:
        self._context = context

    async def run_remote(self, text: str) -> AsyncIterator[str]:
        yield "fake"


class Wrong:
    def __init__(self, size: int) -> None:
        self._size = size

    async def run_remote(self, job: str, more: int) -> Job:
        raise NotImplementedError


class Sync:
    def run_remote(self, job: Job, times: int = 2) -> Job:
        return job


class Nothing:
    pass
"""
WORDS = """\
from collections.abc import AsyncIterator

import chainctl as chains


class Words(chains.ChainletBase):
    async def run_remote(self, text: str) -> AsyncIterator[str]:
        for word in text.split():
            yield word.upper()
"""
MODEL = """\
import chainctl as chains
from chain import NUMPY, Job


class Model(chains.ChainletBase):
    remote_config = NUMPY

    async def run_remote(self, job: Job, times: int = 2) -> Job:
        return Job(text="remote", values=job.values)
"""
INPUT = ("--input", '{"text": "a b"}')


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A chain with values that hold arrays, a stream, and a chainlet whose secret nobody has."""
    for name, text in (("chain", CHAIN), ("words", WORDS), ("model", MODEL)):
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "fakes.py").write_text(FAKES)
    return tmp_path / "chain.py"


def fake(chain: Path, chainlet: str, name: str) -> tuple[str, str]:
    return "--replace", f"{chainlet}={chain.parent}/tests/fakes.py:{name}"


@pytest.mark.parametrize("fidelity", ["inline", "codec", "process"])
def test_fakes_stand_for_chainlets(fidelity: str, chainctl: Chainctl, chain: Path) -> None:
    """Plain classes and chainlets do; what only the replaced one called is not started, nor its secret asked for."""
    replaced = (*fake(chain, "Model", "FakeModel"), *fake(chain, "Words", "FakeWords"))
    done = chainctl("run-local", str(chain), *INPUT, "--fidelity", fidelity, *replaced)
    assert done.stdout == "a ba b 3.0 fake\n"


def test_urls_stand_for_chainlets_at_every_fidelity(chainctl: Chainctl, chain: Path) -> None:
    """Arrays and streams cross to another chain: to its front door, or to one that is served in one process."""
    words, model = (str(chain.parent / f"{name}.py") for name in ("words", "model"))
    with (
        local_run(chainctl, words, "--port", str(free_port()), "--fidelity", "process") as one,
        local_run(chainctl, model, "--port", str(free_port())) as other,
    ):
        replaced = ("--replace", f"Words={one.url()}", "--replace", f"Model={other.url()}/run_remote")
        for fidelity in ("inline", "codec", "process"):
            done = chainctl("run-local", str(chain), *INPUT, "--fidelity", fidelity, *replaced)
            assert done.stdout == "remote 3.0 A+B\n"


def test_a_url_whose_types_are_others_is_refused(chainctl: Chainctl, chain: Path) -> None:
    """Its schemas are compared with what callers of the chainlet rely on, before anything is started."""
    with local_run(chainctl, str(chain.parent / "words.py"), "--port", str(free_port())) as run:
        done = chainctl("run-local", str(chain), *INPUT, "--replace", f"Model={run.url()}", expect=2)
    assert "does not take and give what callers of Model rely on" in done.stderr
    assert "`job`" in done.stderr


def test_a_url_that_does_not_answer_is_named(chainctl: Chainctl, chain: Path) -> None:
    """With the reason, and exit code 2."""
    url = f"http://127.0.0.1:{free_port()}"
    done = chainctl("run-local", str(chain), *INPUT, "--replace", f"Model={url}", expect=2)
    assert f"{url}, which is to stand for Model, does not answer: " in done.stderr
    assert "refused" in done.stderr


def test_a_fake_with_another_signature_is_refused(chainctl: Chainctl, chain: Path) -> None:
    """Each difference stands at its place in the file of the fake; exit code 3."""
    done = chainctl("run-local", str(chain), *INPUT, *fake(chain, "Model", "Wrong"), expect=3)
    for text in (
        "error[CH1003]: `Wrong` stands for `Model`, and nothing can give its `__init__` the argument `size`",
        "error[CH1002]: `Wrong.run_remote` takes `job` as `str`, not `Job`",
        "error[CH1002]: `Wrong.run_remote` does not take `times`",
        "error[CH1002]: `Wrong.run_remote` wants `more`, which no caller gives",
        "tests/fakes.py:24:",
    ):
        assert text in done.stderr


@pytest.mark.parametrize(
    ("replaced", "exit_code", "said"),
    [
        ("Model=FAKES:Sync", 3, "is sync, and that of `Model` is async"),
        ("Model=FAKES:Nothing", 3, "CH1001"),
        ("Model=FAKES:Absent", 3, "fakes.py has no class `Absent`"),
        ("Model=FAKES", 2, "says not what stands for which chainlet"),
        ("Model", 2, "says not what stands for which chainlet"),
        ("Modell=http://127.0.0.1:9", 2, "no chainlet called Modell"),
        ("Front=http://127.0.0.1:9", 2, "nothing runs here"),
    ],
)
def test_what_cannot_be_replaced_is_refused(
    replaced: str, exit_code: int, said: str, chainctl: Chainctl, chain: Path
) -> None:
    """Nothing is started."""
    text = replaced.replace("FAKES", f"{chain.parent}/tests/fakes.py")
    done = chainctl("run-local", str(chain), *INPUT, "--replace", text, expect=exit_code)
    assert said in done.stderr
