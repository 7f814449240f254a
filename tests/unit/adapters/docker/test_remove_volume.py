"""What becomes of a volume that an engine does not want to remove."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
from docker.errors import APIError, NotFound

from chainctl.adapters.docker.network import remove_volume
from chainctl.adapters.docker.target_connection import Connection
from chainctl.errors import DeployError


class Answering:
    """An engine that answers at all."""

    def errors(self, _what: str) -> AbstractContextManager[None]:
        return nullcontext()


@dataclass
class Refusing:
    """A client whose engine refuses to remove volumes."""

    error: APIError

    def remove_volume(self, _name: str) -> None:
        raise self.error


def removal(error: APIError) -> None:
    connection: Any = Connection(Answering(), Refusing(error))  # type: ignore[arg-type]  # all that is asked of them
    remove_volume(connection, "chainctl-shop-shared")


def test_one_that_is_gone_is_removed() -> None:
    """Somebody else was quicker."""
    removal(NotFound("404", explanation="no such volume"))


@pytest.mark.parametrize(
    ("said", "hint"),
    [("volume is in use", ""), ("remove x: volume has active mounts", "start the engine anew")],
)
def test_a_refusal_is_told_in_the_engines_words(said: str, hint: str) -> None:
    """An engine that counts wrongly has to start anew: nothing else helps."""
    with pytest.raises(DeployError) as caught:
        removal(APIError("500", explanation=said))
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert bool(hint) == bool(caught.value.hint)
