"""Texts of the command line in; how a release is rolled out, and what to restart, out."""

from __future__ import annotations

import re

from chainctl.cli.log_lines import seconds_of
from chainctl.deploy.canary import Canary
from chainctl.errors import UsageError

_PERCENT = re.compile(r"([1-9]\d?) ?%?", re.ASCII)


def canary_of(percent: str | None, time: str) -> Canary | None:
    """Read `--canary` and `--canary-for`. Raises UsageError."""
    if percent is None:
        return None
    found = _PERCENT.fullmatch(percent.strip())
    if found is None:
        raise UsageError(
            f"--canary {percent!r} is no part of the traffic",
            hint="give a percentage from 1% to 99%: `--canary 10%`.",
        )
    return Canary(int(found[1]), seconds_of(time))


def chain_and_chainlet(subject: str) -> tuple[str, str | None]:
    """Take CHAIN or CHAIN/CHAINLET apart."""
    chain, _, chainlet = subject.partition("/")
    return chain, chainlet or None
