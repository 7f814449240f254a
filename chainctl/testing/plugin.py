"""The pytest plugin: fixtures that run chains, and how much like deployed ones. Imports nothing else by itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from chainctl.testing.running import RunningChain

RunChain = Callable[..., AbstractContextManager["RunningChain"]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--chainctl-fidelity`, for all tests that name none themselves."""
    group = parser.getgroup("chainctl")
    group.addoption(
        "--chainctl-fidelity",
        choices=("inline", "codec", "process", "isolated"),
        default=None,
        help="how much like deployed ones chains run in tests that do not say it themselves (default: inline)",
    )


@pytest.fixture
def chain(request: pytest.FixtureRequest) -> RunChain:
    """Run chains: `with chain("chain.py", fakes={LLM: FakeLLM}) as running: running.run_remote(…)`.

    It takes what `chainctl.testing.run_chain` takes. Under `chainctl test` the chain that was pushed for it
    answers; tests with fakes are skipped there.
    """
    return _runner(request, None)


@pytest.fixture(params=["inline", "codec", "process"])
def chain_at_each_fidelity(request: pytest.FixtureRequest) -> RunChain:
    """Run chains as `chain` does, the test once at each fidelity that needs no engine."""
    return _runner(request, request.param)


def _runner(request: pytest.FixtureRequest, wanted: str | None) -> RunChain:
    @contextmanager
    def run(what: Any, *, fidelity: str | None = None, **more: Any) -> Iterator[RunningChain]:
        from chainctl.errors import ChainctlError
        from chainctl.testing.running import run_chain

        asked = fidelity or wanted
        url = os.environ.get("CHAINCTL_TEST_URL")
        if url and more.get("fakes"):
            pytest.skip("a chain that is deployed has no fakes")
        if url and asked not in (None, "deployed"):
            pytest.skip(f"the test asks for the fidelity {asked}")
        how = asked or ("deployed" if url else request.config.getoption("--chainctl-fidelity") or "inline")
        with ExitStack() as opened:
            try:
                running = opened.enter_context(run_chain(what, fidelity=how, url=url, **more))
            except ChainctlError as error:
                pytest.fail(_told(error), pytrace=False)
            yield running

    return run


def _told(error: Any) -> str:
    """An error as the command line prints it: what, the evidence, what to do next."""
    hint = [f"hint: {error.hint}"] if error.hint else []
    return "\n".join([str(error.message), *(f"  {line}" for line in error.details), *hint])
