"""Results on stdout: text that ends in a newline, JSON with a version, columns that line up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chainctl.cli.output import in_one_line, json_text, print_result, table


@pytest.mark.parametrize(("text", "printed"), [("a", "a\n"), ("a\n", "a\n"), ("", "")])
def test_text_ends_in_one_newline(capsys: pytest.CaptureFixture[str], text: str, printed: str) -> None:
    """And no text is no line."""
    print_result(text, {}, as_json=False)
    assert capsys.readouterr() == (printed, "")


def test_json_instead_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    """One object, with the version of its format first."""
    print_result("text", {"a": 1}, as_json=True)
    assert capsys.readouterr().out == '{\n  "format_version": 1,\n  "a": 1\n}\n'


def test_values_of_other_types_become_text() -> None:
    """A path in a result is no reason to fail."""
    assert json.loads(json_text({"path": Path("/a")}))["path"] == "/a"


def test_columns_line_up() -> None:
    """The widest cell decides; nothing trails."""
    assert table(["A", "LONG"], [["wide", "x"], ["y", ""]]) == "A     LONG\nwide  x\ny"


def test_a_table_without_rows_is_its_header() -> None:
    """Which the caller may leave out."""
    assert table(["A", "B"], []) == "A  B"


def test_what_would_break_a_line_is_escaped() -> None:
    """A value with a line break stays in its row, and none moves the cursor; letters stay as they are."""
    assert in_one_line("a\nb\x1b[2Jé") == "a\\nb\\x1b[2Jé"
