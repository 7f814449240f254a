"""Names that nobody answers for just now lead to where they led before."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from chainctl.calls.address import Address
from chainctl.calls.answer import NotConnectedError
from chainctl.calls.http_client import HttpClient, request_head
from tests.unit.worker.loopback import answer, loopback

CLOSING = answer(b"x", 200, "connection: close")


class NamesLoop(asyncio.SelectorEventLoop):
    """An event loop that knows one name, as long as `failure` is 0; else resolving ends with that error."""

    failure = 0

    async def getaddrinfo(self, host: Any, port: Any, **more: Any) -> Any:
        if host != "service":
            return await super().getaddrinfo(host, port, **more)
        if self.failure:
            raise socket.gaierror(self.failure, "no answer")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@pytest.mark.parametrize(("failure", "is_answered"), [(socket.EAI_AGAIN, True), (socket.EAI_NONAME, False)])
def test_a_name_that_can_not_be_looked_up_now_is_where_it_was(failure: int, is_answered: bool) -> None:
    """One that is said not to exist is nowhere: somebody else may have its address."""
    loop = NamesLoop()

    async def work() -> None:
        async with loopback(CLOSING) as served:
            client = HttpClient(Address("service", Address.of(served.url).port))
            head = request_head(client.address, "POST", "/-/run_remote", {})
            assert (await client.request(head, (b"{}",))).status == 200
            loop.failure = failure
            if is_answered:
                assert (await client.request(head, (b"{}",))).status == 200
            else:
                with pytest.raises(NotConnectedError, match="no answer"):
                    await client.request(head, (b"{}",))
            client.close()

    try:
        loop.run_until_complete(work())
    finally:
        loop.close()


def test_a_name_that_never_led_anywhere_fails() -> None:
    """There is nothing to remember."""
    loop = NamesLoop()
    loop.failure = socket.EAI_AGAIN
    client = HttpClient(Address("service", 8000))
    head = request_head(client.address, "POST", "/-/run_remote", {})
    try:
        with pytest.raises(NotConnectedError):
            loop.run_until_complete(client.request(head, (b"{}",)))
    finally:
        client.close()
        loop.close()
