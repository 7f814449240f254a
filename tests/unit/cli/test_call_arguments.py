"""The arguments of a call, as a shell, a file or a pipe gives them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from chainctl.cli.calling import answer_text, request_body
from chainctl.errors import UsageError

DEEP = b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
BAD = b'{"a": "\xff"}'


@pytest.mark.parametrize("body", [DEEP, BAD, b"", b"{"], ids=["deep", "no UTF-8", "empty", "cut"])
def test_what_is_no_json_is_a_mistake_of_the_user(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it comes from the command line, a file or stdin."""
    file = tmp_path / "arguments.json"
    file.write_bytes(body)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(body)))
    for given in (os.fsdecode(body), f"@{file}", "-"):
        with pytest.raises(UsageError):
            request_body(given)


def test_a_model_may_take_any_json() -> None:
    """What a chainlet takes, it says itself."""
    assert request_body("[1, 2]") == b"[1, 2]"


def test_mark_at_the_beginning_of_a_file_is_taken_off(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    file = tmp_path / "arguments.json"
    file.write_bytes(b'\xef\xbb\xbf{"name": "Ada"}')
    assert request_body(f"@{file}") == b'{"name": "Ada"}'


def test_answer_that_is_nested_deeply_is_printed_as_it_came() -> None:
    """It is the chain's own business what it answers."""
    assert answer_text(DEEP, as_json=False) == DEEP.decode()
