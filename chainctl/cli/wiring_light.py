"""The state directory in; names of recorded chains out, with nothing heavy loaded: for completion."""

from __future__ import annotations

import os
from pathlib import Path


def recorded_chains() -> list[str]:
    """Names of all chains that have a release in the default state directory, sorted."""
    base = os.environ.get("CHAINCTL_STATE_DIR")
    state = Path(base) if base else _default()
    return sorted({path.parent.name for path in state.glob("*/*/releases")})


def _default() -> Path:
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "chainctl"
