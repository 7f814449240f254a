"""Calls over several replicas, on loopback: spread, passed on, turned away, found again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chainctl.calls.address import Address
from chainctl.calls.answer import Answer, BrokenAnswerError, NotSentError
from chainctl.calls.call_context import CURRENT_CALL, CallContext
from chainctl.calls.fleet import Fleet
from chainctl.calls.http_client import HttpClient, request_head
from chainctl.calls.replica_watch import Client, ReplicaWatch, is_watched, resolved, sockets_beside
from tests.unit.worker.loopback import Loopback, Step, answer, loopback, refusing_port, run

NOT_STARTED = answer(b"{}", 503, "x-chainctl-not-started: 1")
HEAD = request_head(Address("replicas", 8000), "POST", "/-/run_remote", {})


@contextlib.asynccontextmanager
async def fleet_of(*addresses: Address, are_proven: bool = True) -> AsyncIterator[Fleet]:
    """A fleet of replicas, closed at the end."""
    fleet = Fleet(lambda: None)
    fleet.set(addresses, are_proven=are_proven)
    try:
        yield fleet
    finally:
        fleet.close()


def at(served: Loopback) -> Address:
    return Address.of(served.url)


async def until_probed(fleet: Fleet) -> None:
    """Ask all replicas, and wait for what they say."""
    before = asyncio.all_tasks()
    fleet.probe(asyncio.get_running_loop())
    await asyncio.wait(asyncio.all_tasks() - before)


async def ask(fleet: Client) -> Answer:
    return await fleet.request(HEAD, (b"{}",))


def test_calls_go_to_all_in_turn() -> None:
    """Where all have as few calls under way and are as fast, each is next in its turn."""

    async def work() -> None:
        async with loopback(answer(b"x")) as one, loopback(answer(b"x")) as two:
            async with fleet_of(at(one), at(two)) as fleet:
                for _ in range(6):
                    await ask(fleet)
            assert (len(one.requests), len(two.requests)) == (3, 3)

    run(work())


def test_a_call_goes_where_the_fewest_are_under_way() -> None:
    """A replica that is slow gets no more than it has."""

    async def work() -> None:
        go_on = asyncio.Event()
        slow = Step(b"", go_on, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        async with loopback(slow) as one, loopback(answer(b"x")) as two, fleet_of(at(one), at(two)) as fleet:
            waiting = [asyncio.ensure_future(ask(fleet)) for _ in range(2)]
            await one.came.wait()
            for _ in range(5):
                await ask(fleet)
            assert len(one.requests) == 1
            go_on.set()
            await asyncio.gather(*waiting)

    run(work())


def test_what_was_not_begun_is_asked_of_the_next() -> None:
    """A refused connection and an answer that says so cost no call; later ones do not go there."""

    async def work() -> None:
        with refusing_port() as port:
            async with loopback(NOT_STARTED) as starting, loopback(answer(b"x")) as good:
                gone = Address("127.0.0.1", port)
                async with fleet_of(gone, at(starting), at(good)) as fleet:
                    for _ in range(6):
                        assert (await ask(fleet)).status == 200
                assert len(starting.requests) <= 1
                assert len(good.requests) == 6

    run(work())


def test_what_may_have_been_begun_is_not_repeated() -> None:
    """The caller decides about that; the replica is passed over from then on."""

    async def work() -> None:
        async with loopback(Step(b"", end="close")) as broken, loopback(answer(b"x")) as good:
            async with fleet_of(at(broken), at(good)) as fleet:
                outcomes = await asyncio.gather(*(ask(fleet) for _ in range(2)), return_exceptions=True)
                failed = [type(one) for one in outcomes if isinstance(one, Exception)]
                assert failed == [BrokenAnswerError]
                for _ in range(3):
                    await ask(fleet)
            assert len(broken.requests) == 1

    run(work())


def serves(generations: str) -> str:
    return f"x-chainctl-serves: {generations}"


def test_what_has_other_code_is_passed_over_for_calls_that_want_another() -> None:
    """A refused call costs one more request, once; calls that it can take still go there."""

    async def work() -> None:
        refused = answer(b"{}", 503, "x-chainctl-not-started: 1", serves("0-3"))
        async with loopback(refused, answer(b"old")) as old, loopback(answer(b"new")) as new:
            async with fleet_of(at(new), at(old)) as fleet:  # the turn is the second one's
                said = []
                for generation in (4, 4, 4, 3, 3):
                    CURRENT_CALL.set(CallContext(generation=generation))
                    said.append(bytes((await ask(fleet)).body))
            assert said[:3] == [b"new"] * 3
            assert sorted(said[3:]) == [b"new", b"old"]
            assert (len(old.requests), len(new.requests)) == (1 + 1, 3 + 1)

    run(work())


def test_a_probe_tells_which_calls_a_replica_takes() -> None:
    """So that none has to be refused, nor a stream be begun at the wrong one."""

    async def work() -> None:
        one, other = (answer(b"{}", 200, serves(generations)) for generations in ("0-3", "4-"))
        async with loopback(one, answer(b"old")) as old, loopback(other, answer(b"new")) as new:
            async with fleet_of(at(old), at(new)) as fleet:
                await until_probed(fleet)
                said = []
                for generation in (4, 4, None, 3, 3):
                    CURRENT_CALL.set(CallContext(generation=generation))
                    said.append((await ask(fleet)).body)
            assert said == [b"new", b"new", b"old", b"old", b"old"]

    run(work())


def test_without_any_that_answers_the_failure_is_told() -> None:
    """It is tried all the same: what is not there now may be there next."""

    async def work() -> None:
        with refusing_port() as port, refusing_port() as other:
            async with fleet_of(Address("127.0.0.1", port), Address("127.0.0.1", other)) as fleet:
                for _ in range(3):
                    with pytest.raises(NotSentError):
                        await ask(fleet)

    run(work())


def test_a_new_replica_gets_calls_once_it_answers() -> None:
    """One that starts says 503, one that is open anything else; one that leaves says 503 again."""

    async def work() -> None:
        probes = [answer(b"", 503), answer(b"{}"), answer(b"x"), answer(b"", 503), answer(b"y")]
        async with loopback(*probes) as new, loopback(answer(b"x")) as old, fleet_of(at(old)) as fleet:
            fleet.set([at(old), at(new)], are_proven=False)
            await until_probed(fleet)
            await ask(fleet)
            assert [r.line for r in new.requests] == ["GET /openz HTTP/1.1"]
            await until_probed(fleet)
            await asyncio.gather(ask(fleet), ask(fleet))
            assert [r.line.split()[0] for r in new.requests] == ["GET", "GET", "POST"]
            await until_probed(fleet)
            for _ in range(3):
                await ask(fleet)
            assert len(new.requests) == 4

    run(work())


@pytest.mark.parametrize("turn", range(2))
def test_of_replicas_that_nobody_has_asked_yet_the_one_that_is_there_answers(turn: int) -> None:
    """Whichever comes first: not to know of one is no reason to do without it."""

    async def work() -> None:
        with refusing_port() as port:
            async with loopback(answer(b"x")) as one:
                gone = Address("127.0.0.1", port)
                both = (at(one), gone) if turn else (gone, at(one))
                async with fleet_of(*both, are_proven=False) as fleet:
                    assert (await ask(fleet)).status == 200

    run(work())


def test_a_stream_counts_until_its_end() -> None:
    """While a stream is read, other calls go elsewhere; it may be closed before it was begun."""

    async def work() -> None:
        async with (
            loopback(answer(b"x")) as one,
            loopback(answer(b"x")) as two,
            fleet_of(at(one), at(two)) as fleet,
        ):
            _, chunks = await fleet.stream(HEAD, (b"{}",))
            for _ in range(3):
                await ask(fleet)
            assert sorted([len(one.requests), len(two.requests)]) == [1, 3]
            assert b"".join([chunk async for chunk in chunks]) == b"x"
            await ask(fleet)
            await ask(fleet)
            assert sorted([len(one.requests), len(two.requests)]) == [2, 4]

    run(work())


def test_sockets_of_replicas_are_beside_each_other(tmp_path: Path) -> None:
    """Only those that are numbered are replicas."""
    for name in ("abc", "abc.2", "abc.10", "abc.x", "abcd", "abcd.2"):
        (tmp_path / name).touch()
    found = [Path(str(one.socket)).name for one in sockets_beside(str(tmp_path / "abc"))]
    assert found == ["abc", "abc.10", "abc.2"]


def test_names_are_watched_and_numbers_are_not() -> None:
    """What has one address for certain needs no look."""
    assert is_watched(Address.of("unix:/run/x.sock"))
    assert is_watched(Address.of("http://shop-pay-12345678:8000"))
    assert not is_watched(Address.of("http://127.0.0.1:8000"))
    assert not is_watched(Address.of("https://example.org"))
    assert resolved(Address.of("http://localhost:8000")) == [Address("127.0.0.1", 8000)]


def test_a_scale_reaches_a_client_that_is_used(tmp_path: Path) -> None:
    """More sockets become a fleet; one alone is called through the plain client again, after a while."""

    async def work() -> None:
        loop, used = asyncio.get_running_loop(), asyncio.Queue[Client]()
        path = tmp_path / "s"
        async with loopback(answer(b"x"), path=path) as one:
            address = Address("localhost", socket=str(path))
            only = HttpClient(address)
            only.on_wake = ReplicaWatch(loop, address, only, used.put_nowait).wake
            await ask(only)
            assert used.empty()
            async with loopback(answer(b"x"), path=tmp_path / "s.2") as two:
                fleet = await asyncio.wait_for(used.get(), 20)
                assert isinstance(fleet, Fleet)
                await two.came.wait()
                while len(two.requests) < 3:
                    await ask(fleet)
                (tmp_path / "s.2").unlink(missing_ok=True)
                assert await asyncio.wait_for(used.get(), 20) is only
            assert len(one.requests) >= 1
            only.close()

    run(work())


def test_the_second_of_two_is_called_where_it_is_left_alone(tmp_path: Path) -> None:
    """The plain client would look for the first, which may just start anew."""

    async def work() -> None:
        loop, used = asyncio.get_running_loop(), asyncio.Queue[Client]()
        path = tmp_path / "s"
        address = Address("localhost", socket=str(path))
        only = HttpClient(address)
        only.on_wake = ReplicaWatch(loop, address, only, used.put_nowait).wake
        async with loopback(answer(b"x"), path=path), loopback(answer(b"x"), path=tmp_path / "s.2") as two:
            await ask(only)
            fleet = await asyncio.wait_for(used.get(), 20)
            path.unlink()
            while len(two.requests) < 5:
                assert (await ask(fleet)).status == 200
            assert used.empty()
            only.close()

    run(work())


def test_the_first_call_goes_where_all_others_would(tmp_path: Path) -> None:
    """Not to a replica that steps aside, though that is the one the plain client leads to; later ones, too."""

    async def work() -> None:
        loop, used = asyncio.get_running_loop(), asyncio.Queue[Client]()
        path = tmp_path / "s"
        address = Address("localhost", socket=str(path))
        only = HttpClient(address)
        watch = ReplicaWatch(loop, address, only, used.put_nowait)
        closed = [answer(b"", 503)] * 50
        async with (
            loopback(*closed, path=path) as aside,
            loopback(answer(b"x"), path=tmp_path / "s.2") as two,
        ):
            assert (await ask(watch.first_call)).body == b"x"
            fleet = await used.get()
            assert (await ask(fleet)).body == b"x"
            assert {request.line for request in aside.requests} == {"GET /openz HTTP/1.1"}
            assert [r.line.split()[0] for r in two.requests].count("POST") == 2
            assert isinstance(fleet, Fleet)
            fleet.close()

    run(work())


def test_one_that_answers_no_probe_is_passed_over_within_a_second() -> None:
    """It accepts and never answers; what it has begun goes on, and it is back as soon as it answers."""

    async def work() -> None:
        go_on = asyncio.Event()
        hangs = Step(b"", go_on, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        async with loopback(hangs) as hung, loopback(answer(b"x")) as good:
            async with fleet_of(at(hung), at(good)) as fleet:
                loop = asyncio.get_running_loop()
                began = loop.time()
                fleet.probe(loop)
                while len(fleet._all_open(loop.time())) == 2:
                    await asyncio.sleep(0.005)
                assert loop.time() - began < 0.5
                for _ in range(6):
                    await ask(fleet)
                assert [r.line for r in hung.requests] == ["GET /openz HTTP/1.1"]
                go_on.set()
                while len(fleet._all_open(loop.time())) == 1:
                    await asyncio.sleep(0)
                await asyncio.gather(*(ask(fleet) for _ in range(4)))
                assert "POST /-/run_remote HTTP/1.1" in [r.line for r in hung.requests]
            assert len(good.requests) >= 6

    run(work())


def test_silent_ones_are_called_where_no_other_is() -> None:
    """One whose event loop is busy may well take a call."""

    async def work() -> None:
        go_on = asyncio.Event()
        busy = Step(b"", go_on, b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx")
        async with loopback(busy, answer(b"x")) as one, fleet_of(at(one)) as fleet:
            loop = asyncio.get_running_loop()
            fleet.probe(loop)
            while fleet._all_open(loop.time()):
                await asyncio.sleep(0.005)
            assert (await ask(fleet)).body == b"x"
            go_on.set()

    run(work())


def test_one_that_fails_all_its_calls_gets_no_more() -> None:
    """It answers 500 at once, which would otherwise draw calls to it: the fewest are under way there."""

    async def work() -> None:
        async with (
            loopback(answer(b"{}", 500)) as bad,
            loopback(answer(b"x")) as one,
            loopback(answer(b"x")) as two,
            fleet_of(at(bad), at(one), at(two)) as fleet,
        ):
            await asyncio.gather(*(ask(fleet) for _ in range(60)))
            await until_probed(fleet)
            before = len(bad.requests)
            assert before >= 10
            for _ in range(30):
                assert (await ask(fleet)).status == 200
            assert len(bad.requests) == before

    run(work())


def test_the_zone_that_a_probe_tells_is_preferred() -> None:
    """Calls go to the caller's own as long as few are under way there, and then to others, too."""

    async def work() -> None:
        zones = [answer(b"{}", 200, f"x-chainctl-zone: {zone}") for zone in "ab"]
        slow = Step(b"", asyncio.Event(), b"")
        async with loopback(zones[0], *[answer(b"x")] * 5, slow) as near, loopback(zones[1]) as far:
            fleet = Fleet(lambda: None, "a")
            fleet.set([at(far), at(near)], are_proven=True)
            await until_probed(fleet)
            for _ in range(5):
                await ask(fleet)
            assert (len(near.requests), len(far.requests)) == (6, 1)
            calls = [asyncio.ensure_future(ask(fleet)) for _ in range(6)]
            done, waiting = await asyncio.wait(calls, timeout=10, return_when=asyncio.FIRST_COMPLETED)
            assert done
            for call in waiting:
                call.cancel()
            await asyncio.wait(calls)
            assert len(far.requests) > 1
            fleet.close()

    run(work())


def test_of_very_many_some_are_spoken_with_and_more_while_these_are_busy() -> None:
    """A caller alone can use all of them; it needs no connection to most when it calls now and then."""
    many = [Address("127.0.0.1", port) for port in range(20_000, 20_100)]
    fleet = Fleet(lambda: None)
    fleet.set(many, are_proven=True)
    first = set(fleet._replicas)
    assert len(first) == 32
    for replica in fleet._replicas.values():
        replica.under_way = 1
    fleet._chosen([])
    fleet.set(many, are_proven=True)
    assert len(fleet._replicas) == 64
    assert first < set(fleet._replicas)
    for replica in fleet._replicas.values():
        replica.under_way = 0
    fleet._chosen([])
    fleet.set(many, are_proven=True)
    assert len(fleet._replicas) == 64
