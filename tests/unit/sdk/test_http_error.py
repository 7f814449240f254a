"""The exception by which user code sets a status."""

from __future__ import annotations

import pickle

import pytest

import chainctl as chains


def test_status_message_and_headers() -> None:
    """It prints as its message and keeps what it was given."""
    error = chains.HTTPError(418, "a teapot", {"x-tea": "green"})
    assert (str(error), error.status, error.status_code, error.headers) == (
        "a teapot",
        418,
        418,
        {"x-tea": "green"},
    )
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.status, again.headers) == ("a teapot", 418, {"x-tea": "green"})
    assert chains.HTTPError(404).headers == {}


@pytest.mark.parametrize("status", [200, 399, 600, "404", None])
def test_status_of_no_error(status: int) -> None:
    """What is no status of an error is refused where it is written."""
    with pytest.raises(ValueError, match="no status of an error"):
        chains.HTTPError(status, "x")
