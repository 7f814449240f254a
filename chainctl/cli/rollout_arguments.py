"""Texts of the command line in; how a release is rolled out, and what to restart, out."""

from __future__ import annotations

import re

from chainctl.cli.log_lines import seconds_of
from chainctl.deploy.canary import Canary
from chainctl.errors import UsageError

_CANARY_SEC = 60.0
_PERCENT = re.compile(r"([1-9]\d?) ?%?", re.ASCII)


def canary_of(percent: str | None, time: str | None) -> Canary | None:
    """Read `--canary` and `--canary-for`. Raises UsageError."""
    if percent is None:
        if time is not None:
            raise UsageError(
                "--canary-for says how long, but not how much of the traffic",
                hint=f"give both: `--canary 10% --canary-for {time}`.",
            )
        return None
    found = _PERCENT.fullmatch(percent.strip())
    if found is None:
        raise UsageError(
            f"--canary {percent!r} is no part of the traffic",
            hint="give a percentage from 1% to 99%: `--canary 10%`.",
        )
    seconds = _CANARY_SEC if time is None else seconds_of(time)
    if seconds <= 0:
        raise UsageError(
            f"--canary-for {time!r} is no time to try a release in",
            hint="give a minute or more: `--canary-for 5m`.",
        )
    return Canary(int(found[1]), seconds)


def chain_and_chainlet(subject: str) -> tuple[str, str | None]:
    """Take CHAIN or CHAIN/CHAINLET apart. Raises UsageError where one of them is empty."""
    chain, slash, chainlet = subject.partition("/")
    if not chain or (slash and not chainlet):
        what = "no chainlet" if chain else "no chain"
        raise UsageError(f"{subject!r} names {what}", hint="write `CHAIN` or `CHAIN/CHAINLET`.")
    return chain, chainlet or None
