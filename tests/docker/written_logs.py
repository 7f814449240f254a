"""Fake chainlets on a real engine in; the log of the contract, written by them, out."""

from __future__ import annotations

from chainctl.deploy.target import LogSource
from tests.contract.log_source import LINES
from tests.docker.target_rig import Rig, waited_for


def written(rig: Rig) -> LogSource:
    """Return a target whose services have written the lines of the contract, one after another."""
    specs = {
        name: rig.spec(name, env=(("FAKE", "quiet"),)) for name in sorted({name for _, name, _ in LINES})
    }
    rig.start(*specs.values())
    for _, chainlet, text in LINES:
        rig.target.invoke(rig.chain, specs[chainlet].name, f"log {text}".encode(), 20.0)
    waited_for(lambda: len(list(rig.target.logs(rig.chain))) == len(LINES))
    return rig.target
