"""How `--replace` is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainctl.cli.replacing import replacements_of
from chainctl.errors import ChainDefinitionError, UsageError


@pytest.mark.parametrize(
    "written",
    ["http://host:1", "http://host:1/", "http://host:1/run_remote", "http://host:1/run_remote/"],
)
def test_a_url_is_that_of_the_chain(written: str) -> None:
    """With the path of calls, or without it."""
    assert replacements_of([f"Model={written}"]).urls == {"Model": "http://host:1"}


def test_a_path_before_that_of_calls_is_kept() -> None:
    """A gateway may have put the chain below one."""
    assert replacements_of(["A=https://host/chains/a/run_remote"]).urls == {"A": "https://host/chains/a"}


def test_a_class_of_a_file_is_a_fake(tmp_path: Path) -> None:
    """Its file is looked for at once."""
    (tmp_path / "fakes.py").touch()
    (fake,) = replacements_of([f"Model={tmp_path}/fakes.py:Fake"]).fakes
    assert (fake.chainlet, fake.file.path, fake.file.entrypoint) == ("Model", tmp_path / "fakes.py", "Fake")
    with pytest.raises(ChainDefinitionError):
        replacements_of([f"Model={tmp_path}/none.py:Fake"])


@pytest.mark.parametrize("written", ["", "A", "A=", "=http://host", "A=B=C"])
def test_what_is_no_replacement_is_refused(written: str, tmp_path: Path) -> None:
    """With both forms in the hint, or the reason why the file is none."""
    with pytest.raises((UsageError, ChainDefinitionError)):
        replacements_of([written])


def test_a_chainlet_is_replaced_once() -> None:
    """Two things cannot stand for it."""
    with pytest.raises(UsageError, match="A is replaced twice"):
        replacements_of(["A=http://one", "A=http://two"])
