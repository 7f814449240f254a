"""Names in; a state in which chains of these names were released, out."""

from __future__ import annotations

from pathlib import Path

from chainctl.state.ledger import Ledger, Record
from tests.fakes.chains import graph_of, release_of


def record_release(state: Path, target: str, chain: str) -> None:
    """Record a release of a chain that nobody has pushed."""
    release = release_of(graph_of({"Root": []}, chain=chain))
    Ledger(state, target).record(Record(1, release, 0.0, "/p/chain.py"))
