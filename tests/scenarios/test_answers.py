"""Answers through the front doors as they are made: streams of every kind, errors of hops, statuses, ids."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import Chainctl
from tests.scenarios.pushed_chain import JSON, TARGETS, Push, PushedChain, pushing

CHAIN = """
import asyncio
from collections.abc import AsyncIterator

import pydantic

import chainctl as chains

SMALL = chains.RemoteConfig(compute=chains.Compute(cpu_count=1, memory="256Mi"))


class Word(pydantic.BaseModel):
    number: int
    text: str


class Words(chains.ChainletBase):
    remote_config = SMALL

    async def run_remote(self, count: int, fail_at: int = -1, pause_after: int = -1) -> AsyncIterator[str]:
        for number in range(count):
            if number == fail_at:
                raise ValueError(f"no word {number}")
            yield f"word{number} "
            if number == pause_after:
                await asyncio.sleep(3600)


class Text(chains.ChainletBase):
    remote_config = SMALL

    def __init__(self, words: Words = chains.depends(Words)) -> None:
        self._words = words

    async def run_remote(self, count: int, fail_at: int = -1, pause_after: int = -1) -> AsyncIterator[str]:
        async for word in self._words.run_remote(count, fail_at, pause_after):
            yield word


class Models(chains.ChainletBase):
    remote_config = SMALL

    def __init__(self, words: Words = chains.depends(Words)) -> None:
        self._words = words

    async def run_remote(self, count: int, fail_at: int = -1, pause_after: int = -1) -> AsyncIterator[Word]:
        number = 0
        async for word in self._words.run_remote(count, fail_at, pause_after):
            yield Word(number=number, text=word)
            number += 1


class Teapot(chains.ChainletBase):
    remote_config = SMALL

    async def run_remote(self, how: str) -> str:
        if how == "teapot":
            raise chains.HTTPError(418, "I am a teapot", headers={"x-pot": "brown"})
        if how == "value":
            raise ValueError("the pot is broken")
        return how


class Shelf(chains.ChainletBase):
    remote_config = SMALL

    def __init__(self, teapot: Teapot = chains.depends(Teapot)) -> None:
        self._teapot = teapot

    async def run_remote(self, how: str) -> str:
        return await self._teapot.run_remote(how)


class Kitchen(chains.ChainletBase):
    remote_config = SMALL

    def __init__(self, shelf: Shelf = chains.depends(Shelf)) -> None:
        self._shelf = shelf

    async def run_remote(self, how: str) -> str:
        print("cooking", how)
        return await self._shelf.run_remote(how)


@chains.mark_entrypoint("house")
class House(chains.ChainletBase):
    remote_config = SMALL

    def __init__(self, kitchen: Kitchen = chains.depends(Kitchen)) -> None:
        self._kitchen = kitchen

    async def run_remote(self, how: str) -> str:
        return await self._kitchen.run_remote(how)
"""
SSE = {**JSON, "accept": "text/event-stream"}


@pytest.fixture(scope="module", params=TARGETS)
def push(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Push]:
    """Something that pushes to each target."""
    with pushing(tmp_path_factory.mktemp("answers"), request.param) as push:
        yield push


@pytest.fixture(scope="module")
def text(push: Push) -> PushedChain:
    """A chain that streams text."""
    return push(CHAIN, "t-text", entrypoint="Text")


@pytest.fixture(scope="module")
def models(push: Push) -> PushedChain:
    """A chain that streams models."""
    return push(CHAIN, "t-models", entrypoint="Models")


@pytest.fixture(scope="module")
def house(push: Push) -> PushedChain:
    """A chain of four services, one behind the other."""
    return push(CHAIN, "t-house")


def read_until(answer: http.client.HTTPResponse, wanted: bytes) -> bytes:
    """Return what came up to where something is in it. Fails at the end of the answer."""
    came = b""
    while wanted not in came:
        data = answer.read1(65536)
        assert data, came
        came += data
    return came


def test_text_comes_as_it_is_made(text: PushedChain) -> None:
    """The first words are there while the stream waits forever, so nothing holds them back."""
    with text.asked({"count": 3, "pause_after": 1}) as answer:
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert read_until(answer, b"word1") == b"word0 word1 "
    with text.asked({"count": 3}) as answer:
        assert answer.read() == b"word0 word1 word2 "


def test_events_come_as_they_are_made(text: PushedChain, models: PushedChain) -> None:
    """Who accepts `text/event-stream` gets events, of text and of models."""
    for chain, last in ((text, b"word1"), (models, b'"number":1')):
        with chain.asked({"count": 3, "pause_after": 1}, SSE) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert read_until(answer, last).startswith(b"data: ")


def test_models_come_as_they_are_made(models: PushedChain) -> None:
    """One line of JSON a model."""
    with models.asked({"count": 3, "pause_after": 1}) as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert len(read_until(answer, b'"number":1').splitlines()) == 2
    with models.asked({"count": 2}) as answer:
        assert [json.loads(line)["text"] for line in answer] == ["word0 ", "word1 "]


def test_a_failure_in_mid_stream_breaks_the_transfer(text: PushedChain, models: PushedChain) -> None:
    """Two services down, after two items: what came is there, and nobody takes it for whole."""
    for chain in (text, models):
        with chain.asked({"count": 4, "fail_at": 2}) as answer:
            assert answer.status == 200
            with pytest.raises(http.client.IncompleteRead) as broken:
                answer.read()
        assert b"word1" in broken.value.partial


def test_events_end_with_an_error_or_an_end(text: PushedChain, models: PushedChain) -> None:
    """Who reads events is told in the last one how the stream ended, and of what chainlet."""
    for chain in (text, models):
        with chain.asked({"count": 4, "fail_at": 2}, SSE) as answer:
            *_, kind, data = answer.read().decode().strip().splitlines()
        assert kind == "event: error"
        assert json.loads(data.removeprefix("data: "))["error"]["chain"][0]["chainlet"] == "Words"
        with chain.asked({"count": 1}, SSE) as answer:
            assert "event: end" in answer.read().decode()


def test_a_failure_before_the_first_item_is_an_error(text: PushedChain, models: PushedChain) -> None:
    """With a status and the error's tree."""
    for chain in (text, models):
        with chain.asked({"count": 4, "fail_at": 0}) as answer:
            assert answer.status == 500
            assert "no word 0" in json.load(answer)["error"]["message"]


def test_the_command_prints_a_stream_as_it_comes(text: PushedChain) -> None:
    """And ends with code 7 when it breaks off."""
    command = [
        *Chainctl.COMMAND,
        "call",
        text.name,
        '{"count": 3, "pause_after": 1}',
        "--target",
        text.target,
    ]
    with subprocess.Popen(command, env=dict(text.chainctl.environ), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(12) == b"word0 word1 "
        process.terminate()
    out, errors = text.call('{"count": 4, "fail_at": 2}', expect=7)
    assert out == "word0 word1 "
    assert "broke off" in errors


def test_a_status_survives_three_hops(house: PushedChain) -> None:
    """418, set at the far end, is what the caller gets, and the command says so."""
    with house.asked({"how": "teapot"}) as answer:
        assert answer.status == 418
        assert "I am a teapot" in json.load(answer)["error"]["message"]
    _, errors = house.call('{"how": "teapot"}', expect=7)
    assert "the chain answered 418" in errors


def test_errors_of_hops_are_one_readable_tree(house: PushedChain) -> None:
    """Every chainlet on the way is named once, the root is at the bottom, with the line that raised."""
    _, errors = house.call('{"how": "value"}', expect=7)
    places = [errors.index(f"`{name}`") for name in ("Kitchen", "Shelf", "Teapot")]
    assert places == sorted(places)
    assert errors.index("ValueError: the pot is broken", places[-1]) > places[-1]
    assert 'raise ValueError("the pot is broken")' in errors


def test_ids_go_in_and_come_back(house: PushedChain) -> None:
    """The request's id is that of the caller, or a new one, and log lines of services behind have it."""
    sent = {**JSON, "x-request-id": f"mine-{house.target}", "traceparent": f"00-{'ab' * 16}-{'2' * 16}-01"}
    with house.asked({"how": "tea"}, sent) as answer:
        assert answer.headers["x-request-id"] == f"mine-{house.target}"
    with house.asked({"how": "tea"}) as answer:
        assert answer.headers["x-request-id"]
    house.await_message("cooking tea", 2)
    logged = house.chainctl("logs", house.name, "--target", house.target, "--json").stdout
    first = next(line for line in map(json.loads, logged.splitlines()) if line["text"] == "cooking tea")
    assert (first["request_id"], first["trace_id"]) == (f"mine-{house.target}", "ab" * 16)
