"""The name of a chain and a number in; that release serving under a new number, out. Nothing is built."""

from __future__ import annotations

from collections.abc import Callable

from chainctl.errors import UsageError
from chainctl.events import Emit
from chainctl.state.ledger import Ledger, Record
from chainctl.workflows.redeploy import Redeployed, Site, latest_of, redeploy


def rollback(
    chain: str, to: int | None, site: Site, keep_warm: int, emit: Emit, clock: Callable[[], float]
) -> Redeployed:
    """Bring an older release up; without a number the last one that differs from what serves.

    Raises UsageError when there is none, LockHeldError, and what `redeploy` raises.
    """
    with site.ledger.lock(chain):
        record = _wanted(chain, to, site.ledger)
        return redeploy(record, record.release, site, keep_warm, emit, clock)


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
        if record.release.digest != last.release.digest:
            return record
    raise UsageError(
        f"{chain} has no other release to go back to", hint=f"`chainctl history {chain}` lists them."
    )
