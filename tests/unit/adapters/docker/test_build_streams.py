"""Streams of the engine, cut off at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chainctl.adapters.docker.build_streams import OpenStreams


@dataclass(eq=False)
class Answer:
    """A response that is being read; it is its own connection."""

    shutdown: Callable[[], None]

    @property
    def raw(self) -> Answer:
        return self

    def close(self) -> None:
        """Nothing is open."""


def test_streams_that_are_broken_do_not_keep_others_from_being_cut() -> None:
    """An engine that goes away breaks them one after another, and their readers leave by themselves."""
    cut: list[str] = []

    def broken() -> None:
        cut.append("broken")
        raise OSError(9, "Bad file descriptor")

    answers: list[Any] = [Answer(shutdown) for shutdown in (broken, broken, lambda: cut.append("whole"))]
    streams = OpenStreams()
    with streams.reading(answers[0]), streams.reading(answers[1]), streams.reading(answers[2]):
        streams.cut()
    assert sorted(cut) == ["broken", "broken", "whole"]
