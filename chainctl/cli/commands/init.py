"""`chainctl init`: a chain to start from."""

from __future__ import annotations


def init() -> None:
    """Write an example chain with a test and a CI workflow; overwrites nothing."""
