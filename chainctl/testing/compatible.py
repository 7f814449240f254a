"""Two versions of how a chain is called in; nothing, or an AssertionError that says who breaks and how, out."""

from __future__ import annotations

from chainctl.deploy.compose_interfaces import compose_interfaces
from chainctl.deploy.interfaces import Interfaces, interface_changes, report_lines
from chainctl.errors import ChainDefinitionError, UsageError
from chainctl.testing.running import Chain, entrypoint_in

Version = Chain | Interfaces


def assert_compatible(old: Version, new: Version) -> None:
    """Check that whoever calls the old version can call the new one: at its front door and at each edge.

    A version is an entrypoint's class, a chain file, or a release: `released("shop", 3)`.
    Raises AssertionError with every change that breaks callers, ChainDefinitionError with a note for each
    problem of a version, UsageError.
    """
    __tracebackhide__ = True
    report = interface_changes(_interfaces(old), _interfaces(new))
    if not report.is_known:
        raise UsageError(
            "the old release has no interfaces on record", hint="push it with this version once."
        )
    if report.is_breaking:
        lines = [line for line in report_lines(report) if line]
        raise AssertionError(
            "\n".join(["callers of the old version break:", *(f"  {line}" for line in lines)])
        )


def released(chain: str, number: int | None = None, *, target: str = "docker") -> Interfaces:
    """Return how a release that was pushed from here is called; by default the last one. Raises UsageError."""
    __tracebackhide__ = True
    from chainctl.cli.surroundings import ledger_of, settings_for

    settings = settings_for()
    if target not in settings.target_names:
        raise UsageError(f"there is no target {target}", hint=f"name {' or '.join(settings.target_names)}.")
    ledger = ledger_of(settings.on(target), target)
    numbers = ledger.numbers(chain)
    if not numbers or number not in (None, *numbers):
        raise UsageError(
            f"there is no release {'' if number is None else f'{number} '}of {chain} on {target}",
            hint=f"`chainctl history {chain}` lists them.",
        )
    return ledger.load(chain, number or numbers[-1]).interfaces


def _interfaces(version: Version) -> Interfaces:
    __tracebackhide__ = True
    if isinstance(version, Interfaces):
        return version
    from chainctl.cli.loading import load_graph

    try:
        return compose_interfaces(load_graph(entrypoint_in(version)))
    except ChainDefinitionError as error:
        for line in error.details:
            error.add_note(line)
        raise error.with_traceback(None) from None  # how we came to it tells the user nothing
