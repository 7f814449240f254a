"""A chainlet that is asked to step aside says so for a while, and goes on taking calls."""

from __future__ import annotations

import asyncio

import chainctl as chains
from chainctl.sdk.declaration import declaration_of
from chainctl.server.service import ChainletService
from chainctl.worker.boot import ChainletManifest
from chainctl.worker.in_process import InProcessWorker
from chainctl.worker.worker import Reply

TOKEN = {b"x-chainctl-token": b"t"}


class Echo(chains.ChainletBase):
    def run_remote(self, text: str) -> str:
        return text


def worker() -> InProcessWorker:
    return InProcessWorker(declaration_of(Echo), Echo())


def asked(service: ChainletService, path: str, query: str = "") -> Reply:
    return asyncio.run(service.answer(path, TOKEN, query=query))


def test_it_is_aside_until_the_time_is_over() -> None:
    """No second request is needed to be back: who asked may be gone."""
    service = ChainletService("Echo", "t")
    service.worker = worker()
    assert asked(service, "/openz").status == 200
    assert asked(service, "/-/aside", "sec=2").status == 200
    assert asked(service, "/openz").status == 503
    assert asked(service, "/readyz").status == 200
    asked(service, "/-/aside", "sec=0")
    assert asked(service, "/openz").status == 200


def test_it_says_in_which_zone_it_runs() -> None:
    """Where it was told; callers in the same one prefer it."""
    service = ChainletService("Echo", "t")
    service.worker = worker()
    assert "x-chainctl-zone" not in asked(service, "/openz").headers
    service.zone = ChainletManifest.of({"CHAINCTL_ZONE": "b"}, None).zone
    assert asked(service, "/openz").headers["x-chainctl-zone"] == "b"


def test_only_the_chain_may_ask() -> None:
    """Neither strangers, nor callers at the front door, nor by another method."""
    service = ChainletService("Echo", "t")
    assert service.refusal("POST", "/-/aside", TOKEN) is None
    for method, path, headers, status in (
        ("POST", "/-/aside", {}, 401),
        ("POST", "/-/aside", {**TOKEN, b"x-chainctl-door": b"1"}, 404),
        ("POST", "/aside", TOKEN, 404),
        ("GET", "/-/aside", TOKEN, 405),
    ):
        refusal = service.refusal(method, path, headers)
        assert refusal is not None
        assert refusal.status == status


def test_a_time_that_is_none_is_refused() -> None:
    """And nothing changes."""
    service = ChainletService("Echo", "t")
    service.worker = worker()
    assert asked(service, "/-/aside", "sec=soon").status == 400
    assert service.is_open
