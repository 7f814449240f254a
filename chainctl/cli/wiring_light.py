"""The state in; names of recorded chains out, with nothing heavy loaded: for completion."""

from __future__ import annotations

import os
from pathlib import Path


def recorded_chains() -> list[str]:
    """Names of all chains that have a release in the default state, sorted; none where it can not be asked."""
    from chainctl.errors import StateError
    from chainctl.state.glance import ALL_NAMES, CHAIN, rows

    base = os.environ.get("CHAINCTL_STATE_DIR")
    state = Path(base) if base else _default()
    url = os.environ.get("CHAINCTL_DATABASE") or f"sqlite:///{state / 'state.db'}"
    if not url.startswith("sqlite:///"):
        return []  # a server is not asked while somebody types
    try:
        return [str(row[0]) for row in rows(url, ALL_NAMES, {"component": CHAIN})]
    except StateError:
        return []


def _default() -> Path:
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "chainctl"
