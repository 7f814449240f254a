"""Which peers a run has, in their order."""

from __future__ import annotations

from tests.bench.peers.bentoml import bentoml
from tests.bench.peers.chain_services import Package
from tests.bench.peers.chainctl import chainctl, chainctl_variant
from tests.bench.peers.fastapi import fastapi
from tests.bench.peers.floor import floor
from tests.bench.peers.litserve import litserve
from tests.bench.peers.peer import Peer
from tests.bench.peers.ray import ray
from tests.bench.peers.truss import truss
from tests.bench.targets import UNTRACED


def cast_of(package: Package, array_form: str, *, quick: bool) -> list[Peer]:
    """Return the peers of a run."""
    own = [floor(), chainctl(package, array_form), chainctl_variant(package, UNTRACED, telemetry=False)]
    if quick:
        return [*own, fastapi("aiohttp")]
    return [
        *own,
        floor(over_unix=True),
        chainctl_variant(package, "chainctl (unix)", over_unix=True),
        fastapi("aiohttp"),
        fastapi("httpx"),
        truss(),
        litserve(),
        bentoml(),
        ray(),
    ]
