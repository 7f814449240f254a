"""What the front door passes on of a request, and what it refuses."""

from __future__ import annotations

import asyncio

import pytest

from chainctl.adapters.local.front_door.caller import CallerLink
from chainctl.adapters.local.front_door.limits import DoorLimits
from tests.unit.adapters.local.door_rig import TOKEN, Peer, always_ok, length_of, open_door, run, status_of


def heard_by_service(request: bytes, *, api_key: bytes | None = None) -> bytes:
    """Send a request through a door and return its head as the service got it."""
    heard: list[bytes] = []

    async def listen(peer: Peer) -> None:
        head, _ = await peer.request()
        heard.append(head)
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async def scenario() -> None:
        async with open_door(api_key=api_key) as rig, rig.service(listen):
            caller = await rig.call()
            await caller.send(request)
            assert (await caller.answer())[0] == 200
            caller.close()

    run(scenario)
    return heard[0].lower()


def answer_to(
    request: bytes, *, api_key: bytes | None = None, limits: DoorLimits | None = None
) -> tuple[int, bytes]:
    """Send bytes to a door before a willing service and return the first answer."""
    got: list[tuple[int, bytes]] = []

    async def scenario() -> None:
        async with open_door(api_key=api_key, limits=limits) as rig, rig.service(always_ok):
            caller = await rig.call()
            await caller.send(request)
            got.append(await caller.answer())
            caller.close()

    run(scenario)
    return got[0]


def test_the_token_is_injected_and_outsiders_cannot_send_one() -> None:
    """Every x-chainctl header of a caller is dropped, in any spelling; the door adds the token."""
    head = heard_by_service(
        b"GET /run HTTP/1.1\r\nHost: a\r\nX-Chainctl-Token: forged\r\nx_chainctl_token: forged\r\n"
        b"X-CHAINCTL-Trace: forged\r\nConnection: x-chainctl-token\r\n\r\n"
    )
    assert b"forged" not in head
    assert head.count(b"x-chainctl-token: " + TOKEN.encode()) == 1


def test_hop_by_hop_headers_stay_on_their_hop() -> None:
    """Connection, what it names, Keep-Alive, TE and foreign upgrades are not passed on."""
    head = heard_by_service(
        b"GET /run HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Secret-Hop, Upgrade\r\n"
        b"Upgrade: h2c\r\nX-Secret-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nAccept: b\r\n\r\n"
    )
    for name in (b"connection", b"x-secret-hop", b"keep-alive", b"te", b"upgrade"):
        assert b"\r\n" + name + b":" not in head
    assert b"\r\naccept: b\r\n" in head


def test_connection_cannot_remove_the_framing() -> None:
    """A caller that names Content-Length or Host in Connection changes nothing."""
    head = heard_by_service(
        b"POST /run HTTP/1.1\r\nHost: a\r\nConnection: content-length, host\r\nContent-Length: 3\r\n\r\nabc"
    )
    assert b"content-length: 3" in head
    assert b"host: a" in head


def test_the_key_of_the_door_is_not_told_to_services() -> None:
    """The header with the matching key is dropped, other credentials pass."""
    head = heard_by_service(
        b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer K1\r\nX-API-Key: other\r\n\r\n",
        api_key=b"K1",
    )
    assert b"k1" not in head
    assert b"x-api-key: other" in head


@pytest.mark.parametrize(
    "header", [b"Authorization: Bearer K1", b"authorization: Api-Key K1", b"X-API-Key: K1"]
)
def test_each_form_of_the_key_opens(header: bytes) -> None:
    """Three spellings of the credential are accepted."""
    assert answer_to(b"GET / HTTP/1.1\r\n" + header + b"\r\n\r\n", api_key=b"K1")[0] == 200


@pytest.mark.parametrize("header", [b"A: b", b"Authorization: Bearer K2", b"Authorization: K1"])
def test_without_the_key_nothing_opens(header: bytes) -> None:
    """A wrong, missing or oddly sent key is answered with 401 and JSON."""
    status, body = answer_to(b"GET / HTTP/1.1\r\n" + header + b"\r\n\r\n", api_key=b"K1")
    assert status == 401
    assert body.startswith(b'{"error": {"kind": "unauthorized"')


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"CONNECT a:1 HTTP/1.1\r\n\r\n", 501),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000, 431),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: a\r\n" * 12_000, 431),
    ],
)
def test_what_is_not_proper_http_is_refused(request_bytes: bytes, status: int) -> None:
    """Malformed, ambiguous and oversized requests never reach a service."""
    assert answer_to(request_bytes)[0] == status


def test_slow_headers_time_out() -> None:
    """A caller that does not finish its headers gets 408; one that sends nothing is closed."""
    limits = DoorLimits(head_sec=0.05, idle_sec=0.05)
    assert answer_to(b"GET / HTTP/1.1\r\nA:", limits=limits)[0] == 408

    async def scenario() -> None:
        async with open_door(limits=limits) as rig:
            assert await (await rig.call()).rest() == b""

    run(scenario)


def test_no_route_is_503_with_a_hint_when_to_come_back() -> None:
    """Before the first release is routed, callers are told to retry; the connection lives on."""

    async def scenario() -> None:
        async with open_door() as rig:
            caller = await rig.call()
            for _ in range(2):
                await caller.send(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
                head = await caller.head()
                assert status_of(head) == 503
                assert b"retry-after: 1" in head
                await caller.reader.readexactly(length_of(head))
            caller.close()

    run(scenario)


def test_an_absent_service_is_503() -> None:
    """A routed service that does not listen right now is worth a retry."""

    async def scenario() -> None:
        async with open_door() as rig, rig.service(always_ok) as service:
            service.backend.socket.unlink()
            caller = await rig.call()
            await caller.send(b"GET / HTTP/1.1\r\n\r\n")
            status, body = await caller.answer()
            assert (status, b"service_down" in body) == (503, True)
            caller.close()

    run(scenario)


def test_a_refused_big_body_still_sees_the_answer() -> None:
    """The rest of an unwanted body is read, so that the caller is not reset before it reads 401."""

    async def scenario() -> None:
        async with open_door(api_key=b"K1") as rig:
            caller = await rig.call()
            size = 6_000_000
            await caller.send(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size)
            await caller.send(b"x" * size)
            assert (await caller.answer())[0] == 401
            caller.close()

    run(scenario)


def test_pipelined_requests_are_answered_in_order() -> None:
    """Requests that arrive in one packet are served one after another."""

    async def echo_target(peer: Peer) -> None:
        while True:
            head, _ = await peer.request()
            target = head.split(b" ", 2)[1]
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(target) + target)

    async def scenario() -> None:
        async with open_door() as rig, rig.service(echo_target) as service:
            caller = await rig.call()
            await caller.send(b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % n for n in range(50)))
            for n in range(50):
                assert await caller.answer() == (200, b"/%d" % n)
            assert service.visits == 1
            caller.close()

    run(scenario)


def test_an_offered_h2c_upgrade_is_ignored_with_its_body_intact() -> None:
    """Some HTTP clients offer h2c with every POST; the body arrives and the connection is kept."""
    heard: list[bytes] = []

    async def listen(peer: Peer) -> None:
        while True:
            _, body = await peer.request()
            heard.append(body)
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async def scenario() -> None:
        async with open_door() as rig, rig.service(listen):
            caller = await rig.call()
            for text in (b"abc", b"", b"defg"):
                await caller.send(
                    b"POST / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (len(text), text)
                )
                assert (await caller.answer())[0] == 200
            caller.close()

    run(scenario)
    assert heard == [b"abc", b"", b"defg"]


def test_a_caller_who_leaves_ends_its_request() -> None:
    """The service sees the connection close, so that it can stop computing."""

    async def scenario() -> None:
        seen, left = asyncio.Event(), asyncio.Event()

        async def listen(peer: Peer) -> None:
            await peer.request()
            seen.set()
            assert await peer.rest() == b""
            left.set()

        async with open_door() as rig, rig.service(listen) as service:
            caller = await rig.call()
            await caller.send(b"GET / HTTP/1.1\r\n\r\n")
            await seen.wait()
            assert service.backend.flights.count == 1
            caller.close()
            await left.wait()
            await service.backend.flights.landed()

    run(scenario)


def test_a_caller_who_has_just_come_is_not_idle() -> None:
    """Time counts from the connection, not from the start of the clock, also before anybody listens to it."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        come: asyncio.Future[CallerLink] = loop.create_future()
        server = await loop.create_server(lambda: CallerLink(DoorLimits(), come.set_result), "127.0.0.1", 0)
        async with server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            link = await come
            link.check_time(loop.time() + DoorLimits().idle_sec - 1)
            assert not link.transport.is_closing()
            link.check_time(loop.time() + DoorLimits().idle_sec + 1)
            assert link.transport.is_closing()
            writer.close()

    run(scenario)
