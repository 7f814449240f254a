"""The name of a chain and a number in; that release serving under a new number, out. Nothing is built."""

from __future__ import annotations

from collections.abc import Callable

from chainctl.deploy.scale import in_scale_of
from chainctl.errors import UsageError
from chainctl.events import Emit
from chainctl.state.ledger import Ledger, Record
from chainctl.workflows.redeploy import Redeployed, Site, latest_of, redeploy


def rollback(
    chain: str,
    to: int | None,
    site: Site,
    keep_warm: int,
    emit: Emit,
    clock: Callable[[], float],
    restore: Callable[[Record, Redeployed], None] = lambda _record, _done: None,
) -> Redeployed:
    """Bring an older release up; without a number the last one that of another makeup than what serves.

    The scale of what serves is kept, as an older count may be too few for the traffic of now.
    `restore` brings back what was applied with it. Raises UsageError when there is none, LockHeldError,
    and what `redeploy` and `restore` raise.
    """
    with site.ledger.lock(chain):
        record = _wanted(chain, to, site.ledger)
        release = in_scale_of(record.release, latest_of(site.ledger, chain).release)
        done = redeploy(record, release, site, keep_warm, emit, clock)
        restore(record, done)
    return done


def _wanted(chain: str, to: int | None, ledger: Ledger) -> Record:
    last = latest_of(ledger, chain)
    numbers = ledger.numbers(chain)
    if to is not None and to not in numbers:
        raise UsageError(
            f"there is no release {to} of {chain}", hint=f"`chainctl history {chain}` lists them."
        )
    if to is not None:
        return ledger.load(chain, to)
    for number in reversed(numbers):
        record = ledger.load(chain, number)
        if record.release.makeup != last.release.makeup:
            return record
    raise UsageError(
        f"{chain} has no other release to go back to", hint=f"`chainctl history {chain}` lists them."
    )
