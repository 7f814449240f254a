"""The pytest plugin: fixtures that run chains, and how much like deployed ones. Imports nothing else by itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chainctl.truss import alias

if TYPE_CHECKING:
    from chainctl.testing.running import RunningChain

RunChain = Callable[..., AbstractContextManager["RunningChain"]]
_ENTRYPOINTS = pytest.StashKey[dict[str, type]]()
_URL = "CHAINCTL_TEST_URL"
_RAN = ("passed", "failed", "error", "xfailed", "xpassed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--chainctl-fidelity`, for all tests that name none themselves."""
    group = parser.getgroup("chainctl")
    group.addoption(
        "--chainctl-fidelity",
        choices=("inline", "codec", "process", "isolated"),
        default=None,
        help="how much like deployed ones chains run in tests that do not say it themselves (default: inline)",
    )


def pytest_configure() -> None:
    """Let tests import chain files that were written for Truss Chains; a Truss that is installed is left alone.

    Only under `chainctl test`, which is a run of chainctl's own, it is not used.
    """
    alias.install(is_last=os.environ.get(_URL) is None)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under `chainctl test`, tests that are all skipped have tested nothing: end as if there were none."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(_URL) is None or reporter is None or session.exitstatus != pytest.ExitCode.OK:
        return
    if reporter.stats.get("skipped") and not any(reporter.stats.get(outcome) for outcome in _RAN):
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.fixture
def chain(request: pytest.FixtureRequest) -> RunChain:
    """Run chains: `with chain("chain.py", fakes={LLM: FakeLLM}) as running: running.run_remote(…)`.

    It takes what `chainctl.testing.run_chain` takes. Under `chainctl test` the chain that was pushed for it
    answers; tests of other chains, with fakes, or at another fidelity are skipped there.
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

        asked, url = fidelity or wanted, os.environ.get(_URL)
        if url:
            _skip_what_is_not_deployed(asked, more)
            more |= {"url": url, "api_key": os.environ.get("CHAINCTL_API_KEY")}
        found, known = _found(what, request), request.config.stash.setdefault(_ENTRYPOINTS, {})
        how = asked or ("deployed" if url else request.config.getoption("--chainctl-fidelity") or "inline")
        with ExitStack() as opened:
            try:
                running = opened.enter_context(run_chain(known.get(found, found), fidelity=how, **more))
            except ChainctlError as error:
                raise pytest.fail.Exception(_told(error), pytrace=False) from None
            known[found] = running.entrypoint  # a file that is imported need not be looked through again
            if url:
                _skip_another(running)
            yield running

    return run


def _skip_what_is_not_deployed(asked: str | None, more: dict[str, Any]) -> None:
    for name in ("fakes", "data_dir"):
        if more.get(name):
            pytest.skip(f"a chain that is deployed has no {name}")
    if asked not in (None, "deployed"):
        pytest.skip(f"the test asks for the fidelity {asked}")


def _skip_another(running: RunningChain) -> None:
    """Skip a test of another chain, or of a part of it: what was pushed has one entrypoint."""
    from chainctl.testing.running import entrypoint_in

    pushed = os.environ.get("CHAINCTL_TEST_ENTRYPOINT")
    wanted = entrypoint_in(running.entrypoint)
    if pushed is not None and wanted != pushed:
        name, other = wanted.rpartition(":")[2], pushed.rpartition(":")[2]
        pytest.skip(f"the test runs {name}, and {other} is deployed: `chainctl test {wanted}` deploys {name}")


def _found(what: Any, request: pytest.FixtureRequest) -> Any:
    """Find a file: beside the test, above it up to the root of all tests, or else in the working directory."""
    if isinstance(what, type):
        return what
    name, colon, entrypoint = str(what).partition(":")
    above = [one for one in request.path.parents if one.is_relative_to(request.config.rootpath)]
    for directory in (request.path.parent, *above, Path.cwd()):
        if (directory / name).is_file():
            return f"{directory / name}{colon}{entrypoint}"
    return what


def _told(error: Any) -> str:
    """An error as the command line prints it: what, the evidence, what to do next."""
    hint = [f"hint: {error.hint}"] if error.hint else []
    return "\n".join([str(error.message), *(f"  {line}" for line in error.details), *hint])
