"""Secrets in a directory: private, whole, and only under names that chainlets can declare."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from chainctl.adapters.secret_directory import SIZE_LIMIT, SecretDirectory
from chainctl.errors import UsageError

VALUE = b"hunter2\x00\xff"


def test_a_secret_is_a_private_file_in_a_private_directory(tmp_path: Path) -> None:
    """Bytes as they are; nothing else is left behind."""
    kept = SecretDirectory(tmp_path / "config" / "secrets")
    assert kept.names() == []
    assert kept.save("KEY", VALUE)
    assert [(one.name, one.read_bytes()) for one in kept.path.iterdir()] == [("KEY", VALUE)]
    assert stat.S_IMODE((kept.path / "KEY").stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o700


def test_the_same_value_is_no_change_unless_others_could_read_it(tmp_path: Path) -> None:
    """A file that was written by hand is made private."""
    kept = SecretDirectory(tmp_path)
    (tmp_path / "KEY").write_bytes(VALUE)
    (tmp_path / "KEY").chmod(0o644)
    assert kept.save("KEY", VALUE)
    assert stat.S_IMODE((tmp_path / "KEY").stat().st_mode) == 0o600
    assert not kept.save("KEY", VALUE)
    assert kept.save("KEY", b"other")


def test_removing_says_whether_there_was_one(tmp_path: Path) -> None:
    kept = SecretDirectory(tmp_path)
    kept.save("KEY", VALUE)
    assert [kept.remove("KEY"), kept.remove("KEY"), kept.names()] == [True, False, []]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../KEY", "a/b", ".new-x", "-x", "a b", "a\n", "x" * 129, "é"]
)
def test_a_name_leads_nowhere_else(name: str, tmp_path: Path) -> None:
    """Neither to save nor to remove."""
    kept = SecretDirectory(tmp_path / "secrets")
    with pytest.raises(UsageError, match="is no name of a secret"):
        kept.save(name, VALUE)
    with pytest.raises(UsageError, match="is no name of a secret"):
        kept.remove(name)
    assert not kept.path.exists()


@pytest.mark.parametrize("value", [b"", b"x" * (SIZE_LIMIT + 1)])
def test_a_refused_value_leaves_the_old_one(value: bytes, tmp_path: Path) -> None:
    """And is not in the error."""
    kept = SecretDirectory(tmp_path)
    kept.save("KEY", VALUE)
    with pytest.raises(UsageError) as caught:
        kept.save("KEY", value)
    assert (tmp_path / "KEY").read_bytes() == VALUE
    assert "xxx" not in str(caught.value)


def test_a_directory_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file")
    with pytest.raises(UsageError, match="can not be saved"):
        SecretDirectory(tmp_path / "config" / "secrets").save("KEY", VALUE)
