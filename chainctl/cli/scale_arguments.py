"""Texts such as `shop/Pay=3` in; the chain and the wanted counts of its chainlets out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chainctl.errors import UsageError
from chainctl.sdk.config import MOST_REPLICAS

_WANTED = re.compile(r"(?P<chain>[^/=]+)/(?P<chainlet>[^/=]+)=(?P<count>\d{1,4})", re.ASCII)
_EXAMPLE = "write `chainctl scale CHAIN/CHAINLET=N`, as in `shop/Pay=3`."


def chain_and_counts(texts: Sequence[str]) -> tuple[str, dict[str, int]]:
    """Read what is wanted. Raises UsageError."""
    counts: dict[str, int] = {}
    chains: set[str] = set()
    twice: list[str] = []
    for text in texts:
        found = _WANTED.fullmatch(text)
        if found is None:
            raise UsageError(f"{text!r} does not say how many replicas of what", hint=_EXAMPLE)
        count = _checked(text, int(found["count"]))
        if counts.setdefault(found["chainlet"], count) != count:
            twice.append(found["chainlet"])
        chains.add(found["chain"])
    if len(chains) != 1:
        named = ", ".join(sorted(chains)) or "no chain"
        raise UsageError(f"one chain is scaled at a time, here it is {named}", hint=_EXAMPLE)
    if twice:
        raise UsageError(f"two counts are asked for of {twice[0]}", hint="name it once.")
    return chains.pop(), counts


def _checked(text: str, count: int) -> int:
    if 1 <= count <= MOST_REPLICAS:
        return count
    stop = "to stop a chain, use `chainctl down CHAIN`."
    raise UsageError(
        f"{text!r} asks for {count} replicas; a chainlet has 1 to {MOST_REPLICAS}",
        hint=_EXAMPLE if count else stop,
    )
