"""A door whose chain may sleep: requests wait in it, are counted, and go on when there is somebody again."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from chainctl.deploy.load import Loads
from chainctl.deploy.operations import AwaitReady, Route, StartService
from chainctl.deploy.release import FrontDoor
from tests.docker.target_rig import Answer, Rig, call, engine, image, rig

__all__ = ["engine", "image", "rig"]
pytestmark = pytest.mark.docker


def test_requests_wait_for_a_chain_that_sleeps_and_loads_are_asked_through_its_door(rig: Rig) -> None:
    """All replicas answer, each for itself, whatever has to be quoted in the token; a held request ends the wait."""
    spec = replace(rig.spec(), replicas=2)
    rig.start(spec)
    url = rig.open(FrontDoor(holds=True))
    assert rig.target.loads(rig.chain, [spec.name]).held == 0
    answers: list[Answer] = []
    caller = threading.Thread(target=lambda: answers.append(call(url)))
    caller.start()
    assert rig.target.loads(rig.chain, [spec.name], within_sec=20).held == 1
    rig.route(spec)
    caller.join(30)
    assert [answer.status for answer in answers] == [200]
    rig.apply(StartService(spec, "test", replica=2), AwaitReady(spec, "test", replica=2))
    rig.apply(Route(rig.chain, spec.name, "test", spec.name, 2))
    loads = rig.target.loads(rig.chain, [spec.name])
    assert (loads.held, loads.services[spec.name].replicas) == (0, 2)
    assert loads.services[spec.name].waiting == 4
    assert loads.services[spec.name].awaited == {"other": 2}


def test_a_door_of_a_chain_that_does_not_sleep_holds_nothing(rig: Rig) -> None:
    """It says at once that nobody is there, as before; what does not run has no load."""
    rig.start(rig.spec())
    url = rig.open()
    assert call(url).status == 503
    assert rig.target.loads(rig.chain, ["nobody-here"], within_sec=0.1) == Loads()
