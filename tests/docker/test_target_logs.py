"""What services of a real engine wrote: merged, cut to size, followed across new services and restarts."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from chainctl.deploy.operations import RemoveNetwork
from tests.docker.test_target_bench import Bench, bench, call, engine, image, service_at, waited_for

pytestmark = pytest.mark.docker
__all__ = ["bench", "engine", "image"]
LONG = "x" * 40_000


def say(bench: Bench, url: str, text: str) -> None:
    assert call(url, "/run_remote", b"log " + text.encode()).status == 200


@contextmanager
def following(bench: Bench, *, tail: int) -> Iterator[list[str]]:
    """Follow a chain in another thread; its lines appear in the list. It ends by itself."""
    heard: list[str] = []

    def read() -> None:
        for line in bench.target.logs(bench.chain, follow=True, tail=tail):
            heard.append(line.text)

    reader = threading.Thread(target=read)
    reader.start()
    yield heard
    reader.join(20)
    assert not reader.is_alive()


def test_lines_of_all_services_are_merged(bench: Bench) -> None:
    """In order of time, long ones whole, those of a service that failed too, and only those asked for."""
    first, second = bench.spec("Hello"), bench.spec("Other")
    bench.start(first)
    bench.start(second)
    url = bench.open()
    bench.route(first)
    say(bench, url, LONG)
    bench.route(second)
    say(bench, url, "said second")
    lines = list(bench.target.logs(bench.chain))
    assert [(line.service, line.text) for line in lines] == [
        (first.name, f"starting {first.name}"),
        (second.name, f"starting {second.name}"),
        (first.name, LONG),
        (second.name, "said second"),
    ]
    assert [line.chainlet for line in lines] == ["Hello", "Other", "Hello", "Other"]
    assert [line.time for line in lines] == sorted(line.time for line in lines)
    assert list(bench.target.logs(bench.chain, tail=2)) == lines[2:]
    assert list(bench.target.logs(bench.chain, tail=0)) == []
    assert list(bench.target.logs(bench.chain, since=lines[2].time + 1e-6)) == lines[3:]
    assert list(bench.target.logs(bench.chain, chainlets=["Other"])) == [lines[1], lines[3]]
    assert list(bench.target.logs("no-such-chain", follow=True)) == []


def test_a_chain_is_followed_until_it_is_gone(bench: Bench) -> None:
    """Through a restart and into a service that was not there in the beginning; nothing comes twice."""
    spec, later = bench.spec("Hello"), bench.spec("Later")
    bench.start(spec)
    url = bench.open()
    bench.route(spec)
    say(bench, url, "before")
    with following(bench, tail=1) as heard:
        waited_for(lambda: heard == ["before"])
        say(bench, url, "after")
        waited_for(lambda: heard[-1] == "after")
        with bench.engine.client() as client:
            client.restart(spec.name, timeout=1)
        waited_for(lambda: heard[-1] == f"starting {spec.name}")
        waited_for(lambda: service_at(url))
        bench.start(later)
        waited_for(lambda: heard[-1] == f"starting {later.name}")
        bench.down()
    assert heard == ["before", "after", f"starting {spec.name}", f"starting {later.name}"]


def test_a_follower_may_leave(bench: Bench) -> None:
    """Closing the lines, as an interrupt does, ends every thread that reads."""
    spec = bench.spec()
    bench.start(spec)
    lines = bench.target.logs(bench.chain, follow=True)
    assert isinstance(lines, Generator)
    assert next(lines).text == f"starting {spec.name}"
    before = threading.active_count()
    url = bench.open()
    bench.route(spec)
    say(bench, url, "more")
    assert next(lines).text == "more"
    assert threading.active_count() > before
    lines.close()
    assert threading.active_count() == before
    bench.apply(RemoveNetwork(bench.chain, "test"))
