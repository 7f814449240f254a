"""Directories in; the paths that are saved below them, those that come at once together, out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

_STEP_MS = 10
_DEBOUNCE_MS = 400
_NEVER = (".git", "__pycache__", ".venv", "node_modules", ".mypy_cache", ".pytest_cache", ".ruff_cache")
_OWN = ("chainctl.lock",)


def saves(places: Callable[[], list[str]], timeout_ms: int) -> Iterator[set[str] | None]:
    """Yield sets of paths; an empty one after `timeout_ms` without any.

    None comes when watching has begun, or begun anew for other places: what was saved before is not told then,
    so that whoever asks has to look at everything. `places` is asked again after each set. What is saved while
    the caller is busy comes with the next set.
    """
    from watchfiles import watch

    while True:
        watched = places()
        if not watched:  # all are gone, and may come again
            threading.Event().wait(timeout_ms / 1000)
            yield set()
            continue
        has_begun = False
        try:
            for changes in watch(
                *watched,
                watch_filter=lambda _, path: is_source(path),
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                rust_timeout=timeout_ms,
                yield_on_timeout=True,
                raise_interrupt=True,
            ):
                yield {path for _, path in changes} if has_begun else None
                has_begun = True
                if places() != watched:
                    break
        except FileNotFoundError:
            continue  # one of them went in between


def is_source(path: str) -> bool:
    """Say whether a path may be of what users write, and not of what tools and our own runs write."""
    parts = Path(path).parts
    return not any(part in _NEVER for part in parts) and parts[-1] not in _OWN and not path.endswith(".pyc")
