"""A chain's name and options in; one of its releases brought up again, out: what rollback and restart share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from chainctl.cli.applying import restore_components
from chainctl.cli.console import Console
from chainctl.cli.output import print_result
from chainctl.cli.surroundings import settings_for, this_user
from chainctl.cli.wiring import world_of
from chainctl.state.ledger import Record
from chainctl.workflows.redeploy import Redeployed, Site

Restore = Callable[[Record, Redeployed], None]
Bring = Callable[[Site, int, Restore], Redeployed]


def brought_up(
    chain: str,
    console: Console,
    bring: Bring,
    *,
    target: str | None,
    secrets: Path | None,
    keep_warm: int | None,
) -> Redeployed:
    """Open the target that a chain runs on and bring a release up there. Raises what `redeploy` raises."""
    world = world_of(chain, settings_for(target=target, secrets_file=secrets), console.line)
    settings = world.settings
    site = Site(world.backend, world.target, world.ledger, world.vault, this_user())

    def restore(record: Record, done: Redeployed) -> None:
        restore_components(record, done, world, settings, console)

    try:
        return bring(site, settings.keep_warm if keep_warm is None else keep_warm, restore)
    finally:
        console.stop()


def print_redeployed(
    done: Redeployed, words: str, console: Console, *, is_quiet: bool, as_json: bool
) -> None:
    """Print the URL of what serves now; `words` complete "Release 4 of shop serves"."""
    if not is_quiet:
        console.line(f"Release {done.number} of {done.chain} serves{words}.")
    value = {
        "chain": done.chain,
        "url": done.url,
        "release": done.number,
        "from_release": done.origin,
        "changed": not done.plan.is_empty,
        "replicas": [{"chainlet": name, "replicas": count} for name, count in done.replicas],
        "warm": [service for service, _ in done.plan.warm],
    }
    print_result(done.url, value, as_json=as_json)
