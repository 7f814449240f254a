"""Lines of a response, however it arrives; and one that does not end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.adapters.docker.build_lines import bounded_lines
from chainctl.errors import EngineError


@given(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\n\n", b"d\ne", b""])))
def test_lines_are_those_of_the_whole(pieces: list[bytes]) -> None:
    """Wherever it was cut; empty lines are left out."""
    assert list(bounded_lines(pieces)) == [line for line in b"".join(pieces).split(b"\n") if line]


def test_a_line_without_an_end_is_an_error() -> None:
    """What came before it is given first."""
    lines = bounded_lines([b"one\n", b"x" * 60, b"x" * 60], longest=100)
    assert next(lines) == b"one"
    with pytest.raises(EngineError, match="a line without an end"):
        next(lines)
