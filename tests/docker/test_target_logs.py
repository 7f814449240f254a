"""What services of a real engine wrote: merged, cut to size, followed across new services and restarts."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from chainctl.deploy.operations import RemoveNetwork
from chainctl.deploy.target import LogLine
from tests.docker.target_rig import Rig, call, engine, image, rig, service_at, waited_for

pytestmark = pytest.mark.docker
__all__ = ["engine", "image", "rig"]
LONG = "x" * 40_000


def say(rig: Rig, url: str, text: str) -> None:
    assert call(url, "/run_remote", b"log " + text.encode()).status == 200


def heard_of(rig: Rig, count: int) -> list[LogLine]:
    """All lines of a chain once there are so many; the engine reads what a service wrote in its own time."""

    def read() -> list[LogLine] | None:
        lines = list(rig.target.logs(rig.chain))
        return lines if len(lines) >= count else None

    return waited_for(read)


@contextmanager
def following(rig: Rig, *, tail: int) -> Iterator[list[str]]:
    """Follow a chain in another thread; its lines appear in the list. It ends by itself."""
    heard: list[str] = []

    def read() -> None:
        for line in rig.target.logs(rig.chain, follow=True, tail=tail):
            heard.append(line.text)

    reader = threading.Thread(target=read)
    reader.start()
    yield heard
    reader.join(20)
    assert not reader.is_alive()


def test_lines_of_all_services_are_merged(rig: Rig) -> None:
    """In order of time, long ones whole, those of a service that failed too, and only those asked for."""
    first, second = rig.spec("Hello"), rig.spec("Other")
    rig.start(first)
    rig.start(second)
    url = rig.open()
    rig.route(first)
    say(rig, url, LONG)
    rig.route(second)
    say(rig, url, "said second")
    lines = heard_of(rig, 4)
    assert [(line.service, line.text) for line in lines] == [
        (first.name, f"starting {first.name}"),
        (second.name, f"starting {second.name}"),
        (first.name, LONG),
        (second.name, "said second"),
    ]
    assert [line.chainlet for line in lines] == ["Hello", "Other", "Hello", "Other"]
    assert [line.time for line in lines] == sorted(line.time for line in lines)
    assert list(rig.target.logs(rig.chain, tail=2)) == lines[2:]
    assert list(rig.target.logs(rig.chain, tail=0)) == []
    assert list(rig.target.logs(rig.chain, since=lines[2].time + 1e-6)) == lines[3:]
    assert list(rig.target.logs(rig.chain, chainlets=["Other"])) == [lines[1], lines[3]]
    assert list(rig.target.logs("no-such-chain", follow=True)) == []


def test_a_chain_is_followed_until_it_is_gone(rig: Rig) -> None:
    """Through a restart and into a service that was not there in the beginning; nothing comes twice."""
    spec, later = rig.spec("Hello"), rig.spec("Later")
    rig.start(spec)
    url = rig.open()
    rig.route(spec)
    say(rig, url, "before")
    with following(rig, tail=1) as heard:
        waited_for(lambda: heard == ["before"])
        say(rig, url, "after")
        waited_for(lambda: heard[-1] == "after")
        with rig.engine.client() as client:
            client.restart(spec.name, timeout=1)
        waited_for(lambda: heard[-1] == f"starting {spec.name}")
        waited_for(lambda: service_at(url))
        rig.start(later)
        waited_for(lambda: heard[-1] == f"starting {later.name}")
        rig.down()
    assert heard == ["before", "after", f"starting {spec.name}", f"starting {later.name}"]


def test_a_follower_may_leave(rig: Rig) -> None:
    """Closing the lines, as an interrupt does, ends every thread that reads."""
    spec = rig.spec()
    rig.start(spec)
    lines = rig.target.logs(rig.chain, follow=True)
    assert isinstance(lines, Generator)
    assert next(lines).text == f"starting {spec.name}"
    before = threading.active_count()
    url = rig.open()
    rig.route(spec)
    say(rig, url, "more")
    assert next(lines).text == "more"
    assert threading.active_count() > before
    lines.close()
    assert threading.active_count() == before
    rig.apply(RemoveNetwork(rig.chain, "test"))
