"""Which classes can stand for a chainlet, and why others cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Dict, List, Optional  # noqa: UP035

import pydantic
import pytest

import chainctl as chains
from chainctl.sdk.fake_checks import fake_problems


class Job(pydantic.BaseModel):
    text: str


class Real(chains.ChainletBase):
    async def run_remote(self, job: Job, times: int = 2) -> Job:
        return job


class RealStream(chains.ChainletBase):
    async def run_remote(self, text: str) -> AsyncIterator[str]:
        yield text


class Plain:
    async def run_remote(self, job: Job, times: int = 3, more: str = "") -> Job:
        return job


class WithContext(chains.ChainletBase):
    def __init__(self, size: int = 3, context: chains.DeploymentContext = chains.depends_context()) -> None:
        self.size = size

    async def run_remote(self, job: Job, times: int = 2) -> Job:
        return job


class Stream:
    async def run_remote(self, text: str) -> AsyncIterator[str]:
        yield text


class RealMany(chains.ChainletBase):
    def run_remote(self, jobs: Optional[list[Job]], names: dict[str, int]) -> list[Job]:
        return jobs or []


class Spelled:
    def run_remote(self, jobs: List[Job] | None, names: Dict[str, int]) -> List[Job]:
        return jobs or []


@pytest.mark.parametrize(
    ("real", "fake"), [(Real, Plain), (Real, WithContext), (RealStream, Stream), (RealMany, Spelled)]
)
def test_the_same_signature_is_enough(real: type, fake: type) -> None:
    """No base class is needed; other defaults, more arguments with defaults, and another spelling do no harm."""
    assert fake_problems(real, fake) == []


class Untyped:
    async def run_remote(self, job, times=2):  # type: ignore[no-untyped-def]  # it is what is tested
        return job


class Required:
    async def run_remote(self, job: Job, times: int) -> Job:
        return job


JOB = Job(text="")
ORDER = "does not take `job`, `times` in this order, by position and by name"


class Reordered:
    async def run_remote(self, times: int = 2, job: Job = JOB) -> Job:
        return job


class ByName:
    async def run_remote(self, *, job: Job, times: int = 2) -> Job:
        return job


class Dependent:
    def __init__(self, other: Any = chains.depends(Real)) -> None:
        self.other = other

    async def run_remote(self, job: Job, times: int = 2) -> Job:
        return job


class SyncStream:
    def run_remote(self, text: str) -> Iterator[str]:
        yield text


class Unresolved:
    async def run_remote(self, job: "Nowhere") -> Job:  # type: ignore[name-defined]  # noqa: F821, UP037
        return Job(text="")


@pytest.mark.parametrize(
    ("real", "fake", "said"),
    [
        (
            Real,
            Untyped,
            [
                "CH1002 `Untyped.run_remote` takes `job` as no type, not `Job`",
                "CH1002 `Untyped.run_remote` takes `times` as no type, not `int`",
                "CH1002 `Untyped.run_remote` gives no type, not `Job`",
            ],
        ),
        (Real, Required, ["CH1002 `Required.run_remote` needs `times`, which callers may leave out"]),
        (Real, Reordered, [f"CH1002 `Reordered.run_remote` {ORDER}"]),
        (Real, ByName, [f"CH1002 `ByName.run_remote` {ORDER}"]),
        (
            Real,
            Dependent,
            ["CH1003 `Dependent` stands for `Real`, and nothing can give its `__init__` the argument `other`"],
        ),
        (
            RealStream,
            SyncStream,
            ["CH1002 `SyncStream.run_remote` is sync and a stream, and that of `RealStream` is async and a stream"],
        ),
        (
            Real,
            Unresolved,
            ["CH0407 `Unresolved.run_remote`: an annotation cannot be resolved: name 'Nowhere' is not defined"],
        ),
        (Real, Job, ["CH1001 `Job` has no method `run_remote`, so it cannot stand for `Real`"]),
    ],
)  # fmt: skip
def test_each_difference_is_told_at_its_place(real: type, fake: type, said: list[str]) -> None:
    """With code, words, file and line."""
    problems = fake_problems(real, fake)
    assert [f"{p.code} {p.message}" for p in problems] == said
    assert {Path(p.path).name for p in problems} == {Path(__file__).name}
    assert all(p.line > 0 for p in problems)
