"""Ten thousand calls, some of which are cancelled, leave nothing behind. `make soak` makes a million."""

from __future__ import annotations

from tests.soak.calls import soak


def test_nothing_is_left_behind() -> None:
    """No task, no place, no connection, no file."""
    soak(10_000)
