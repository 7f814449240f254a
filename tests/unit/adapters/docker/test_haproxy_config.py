"""HAProxy's configuration as text: the golden files, and what must never break out of a line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from chainctl.adapters.docker.haproxy_config import (
    DoorSettings,
    config_text,
    digest_in,
    door_files,
)
from chainctl.deploy.door_config import quoted

DIGEST = "0123456789abcdef"
OPEN = DoorSettings(DIGEST, token="t0ken")
GUARDED = DoorSettings(DIGEST, token="it's 100%", key=b"k3y\n", tls=b"PEM", answer_sec=60)


def test_an_open_door(golden: Callable[[str, str], None]) -> None:
    """Plain HTTP for everybody who reaches it."""
    golden("haproxy/open.cfg", config_text(OPEN))


def test_a_guarded_door(golden: Callable[[str, str], None]) -> None:
    """TLS and a key; the time limit is that of the settings."""
    golden("haproxy/guarded.cfg", config_text(GUARDED))


def test_a_door_that_holds(golden: Callable[[str, str], None]) -> None:
    """Requests wait in a few lines of Lua, as long as their answers may take; others have none of it."""
    files = door_files(replace(OPEN, holds=True, answer_sec=60))
    golden("haproxy/holding.cfg", files["haproxy.cfg"].decode())
    golden("haproxy/hold.lua", files["hold.lua"].decode())
    assert b"lua" not in door_files(OPEN)["haproxy.cfg"]


def test_the_digest_is_found_again() -> None:
    """By it a target tells what a door was made from, also one that is down."""
    assert digest_in(door_files(GUARDED)) == DIGEST
    assert digest_in({}) == ""


def test_keys_are_told_by_their_hash() -> None:
    """The key is nowhere in the files; a line break at its end is not part of it."""
    files = door_files(GUARDED)
    assert files["keys"] == hashlib.sha256(b"k3y").hexdigest().encode() + b"\n"
    assert not [name for name, content in files.items() if b"k3y" in content]


def test_unused_files_are_emptied() -> None:
    """A door that had a key and a certificate before must not keep them."""
    files = door_files(OPEN)
    assert {files[name] for name in ("keys", "tls.pem", "hold.lua")} == {b""}


def test_files_may_stand_elsewhere() -> None:
    """A trial of settings reads its own files, not those of the door that runs."""
    text = config_text(GUARDED, PurePosixPath("/trial"))
    assert "crt /trial/tls.pem" in text
    assert "-f /trial/keys" in text
    assert "/usr/local" not in text


def test_settings_show_no_secrets() -> None:
    """A repr in a traceback names neither token, nor key, nor certificate."""
    assert repr(GUARDED) == f"DoorSettings(digest='{DIGEST}', answer_sec=60, holds=False)"


@pytest.mark.parametrize(
    ("text", "word"), [("a b", "'a b'"), ("it's", "'it'\\''s'"), ('"$x" #', "'\"$x\" #'")]
)
def test_words_are_quoted(text: str, word: str) -> None:
    """Nothing in a token or a body has a meaning for HAProxy."""
    assert quoted(text) == word


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\0b"])
def test_a_line_break_can_not_be_quoted(text: str) -> None:
    """It would begin a line of configuration of its own."""
    with pytest.raises(ValueError, match="line break"):
        quoted(text)
