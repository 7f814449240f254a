"""A chain's name or a URL and a load plan in; the report of a load on stdout, and an exit code, out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chainctl.calls.address import Address
from chainctl.cli.bench_json import report_json
from chainctl.cli.bench_text import report_text, verdict_text
from chainctl.cli.calling import api_key
from chainctl.cli.console import Console
from chainctl.cli.output import print_result
from chainctl.cli.surroundings import secret_sources, settings_for
from chainctl.cli.wiring import world_of
from chainctl.deploy.target import DeployTarget
from chainctl.errors import CallFailedError, ChainctlError, ExitCode, UsageError
from chainctl.workflows.bench.assertion import Assertion
from chainctl.workflows.bench.bench import bench
from chainctl.workflows.bench.plan import LoadPlan
from chainctl.workflows.bench.verdict import judge


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is loaded: the chain's name for people, its URL and key, and its target where that is known."""

    chain: str
    url: str
    api_key: str | None
    target: DeployTarget | None


def bench_chain(
    subject: Subject, plan: LoadPlan, bounds: Sequence[Assertion], *, is_quiet: bool, as_json: bool
) -> ExitCode:
    """Load a chain and print what was measured; the plan's URL and key are those of the subject.

    Returns INTERRUPTED after an interrupt. Raises CallFailedError when nothing answers, ChainctlError
    when an assertion failed.
    """
    console = Console(is_quiet=is_quiet)
    plan = replace(plan, url=subject.url, api_key=subject.api_key)
    report = bench(plan, subject.chain, subject.target, console.emit)
    verdicts = judge(bounds, report.outcome)
    text = report_text(report, subject.chain, verdicts)
    print_result(text, report_json(report, subject.chain, verdicts), as_json=as_json)
    if report.outcome.is_cut:
        return ExitCode.INTERRUPTED
    failed = [verdict_text(verdict) for verdict in verdicts if not verdict.is_kept]
    if failed:
        raise ChainctlError(f"{len(failed)} of {len(verdicts)} assertions failed", details=failed)
    return ExitCode.OK


def subject_of(chain: str | None, url: str | None, target: str | None) -> Subject:
    """Find what to load: a chain as `chainctl call` finds it, or a URL; with both, the chain tells of its hops.

    The chain's own key goes to its own address only; to a URL, just what CHAINCTL_API_KEY says.
    Raises UsageError, CallFailedError, EngineError.
    """
    if url is not None:
        _check_url(url)
    if chain is None:
        if url is None:
            raise UsageError("there is nothing to load", hint="name a chain, or give `--url URL`.")
        return Subject(url, url, api_key(None), None)
    world = world_of(chain, settings_for(target=target), Console().line)
    settings = world.settings
    if url is not None:
        return Subject(chain, url, api_key(None), world.target)
    door = world.target.observe(chain).front_door
    if door is None:
        raise CallFailedError(f"{chain} has no front door", hint="push it again.")
    key = api_key(secret_sources(settings).find(settings.api_key_secret or ""))
    return Subject(chain, door.url, key, world.target)


def _check_url(url: str) -> None:
    try:
        Address.of(url)
    except ValueError as error:
        raise UsageError(str(error), hint="write it as http://HOST:PORT.") from None
