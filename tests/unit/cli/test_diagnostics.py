"""Problems as text: the source line, carets under the right characters, notes and help lined up."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainctl.cli.diagnostics import Palette, diagnostic_text, diagnostics_text
from chainctl.errors import Problem


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A file whose twelfth line is worth a diagnosis."""
    path = tmp_path / "chain.py"
    path.write_text("\n" * 11 + "    def run_remote(self, x):\n")
    return path


def test_a_problem_with_everything(chain: Path, tmp_path: Path) -> None:
    """Line numbers of two digits widen the margin; lines of a note stand below each other."""
    problem = Problem(
        "CH0305",
        "`x` has no type",
        str(chain),
        12,
        26,
        27,
        "types make the schema\nof the endpoint",
        "write `x: str`",
    )
    assert diagnostic_text(problem, tmp_path) == (
        "error[CH0305]: `x` has no type\n"
        "  --> chain.py:12:26\n"
        "   |\n"
        "12 |     def run_remote(self, x):\n"
        "   |                          ^\n"
        "   = note: types make the schema\n"
        "           of the endpoint\n"
        "   = help: write `x: str`"
    )


def test_a_tab_is_as_wide_as_it_is_shown(tmp_path: Path) -> None:
    """Before the carets, and below them."""
    path = tmp_path / "tabs.py"
    path.write_text("\tx =\ty\n")
    problem = Problem("CH0001", "m", str(path), 1, 2, 7)
    assert diagnostic_text(problem, tmp_path).splitlines()[3:] == [
        "1 |     x = y",
        "  |     ^^^^^",
    ]


def test_wide_and_combining_characters(tmp_path: Path) -> None:
    """A caret is below the character that it means, as a terminal shows it."""
    path = tmp_path / "wide.py"
    path.write_text("名 = e\u0301 + Bär\n", encoding="utf-8")
    problem = Problem("CH0001", "m", str(path), 1, 10, 13)
    assert diagnostic_text(problem, tmp_path).splitlines()[3:] == [
        "1 | 名 = e\u0301 + Bär",
        "  |          ^^^",
    ]


def test_without_a_column_there_are_no_carets(chain: Path, tmp_path: Path) -> None:
    """The line alone is shown."""
    assert diagnostic_text(Problem("CH0001", "m", str(chain), 12), tmp_path) == (
        "error[CH0001]: m\n  --> chain.py:12\n   |\n12 |     def run_remote(self, x):"
    )


@pytest.mark.parametrize("line", [0, 13, 99])
def test_a_line_that_is_not_there(chain: Path, tmp_path: Path, line: int) -> None:
    """Of a file that has changed meanwhile, the place is named and nothing else."""
    shown = diagnostic_text(Problem("CH0001", "m", str(chain), line), tmp_path).splitlines()
    assert len(shown) == (2 if line != 13 else 4)


def test_a_missing_file_and_no_file_at_all(tmp_path: Path) -> None:
    """Neither is a crash."""
    missing = Problem("CH0001", "m", str(tmp_path / "gone.py"), 3, 1)
    assert diagnostic_text(missing, tmp_path) == "error[CH0001]: m\n --> gone.py:3:1"
    assert diagnostic_text(Problem("CH0001", "m", help="do"), tmp_path) == "error[CH0001]: m\n  = help: do"


def test_a_file_elsewhere_keeps_its_path(chain: Path) -> None:
    """Only what is below the working directory is shortened."""
    shown = diagnostic_text(Problem("CH0001", "m", str(chain), 12), Path("/nowhere"))
    assert f"--> {chain}:12" in shown


def test_lines_are_counted_as_python_counts(tmp_path: Path) -> None:
    """A form feed or a line separator in a file ends no line; CR LF ends one."""
    path = tmp_path / "feeds.py"
    path.write_bytes("a = 1\x0c\r\nb = '\u2028'\r\nc = 3\r\n".encode())
    assert diagnostic_text(Problem("CH0001", "m", str(path), 3), tmp_path).endswith("3 | c = 3")


def test_an_edited_file_is_read_again(tmp_path: Path) -> None:
    """In a process that goes on, a later problem shows the line as it is then."""
    path = tmp_path / "edited.py"
    for text in ("a = 1", "a = 2"):
        path.write_text(text)
        assert diagnostic_text(Problem("CH0001", "m", str(path), 1), tmp_path).endswith(f"| {text}")


def test_carets_never_leave_the_line(chain: Path, tmp_path: Path) -> None:
    """A span that goes on in the next line is marked to the end of its first; one caret at least."""
    long = diagnostic_text(Problem("CH0001", "m", str(chain), 12, 26, 99), tmp_path).splitlines()[-1]
    short = diagnostic_text(Problem("CH0001", "m", str(chain), 12, 26, 0), tmp_path).splitlines()[-1]
    assert (long, short) == ("   | " + " " * 25 + "^^^", "   | " + " " * 25 + "^")


def test_problems_are_separated_and_warnings_named(tmp_path: Path) -> None:
    """An empty line between two; a warning is not called an error."""
    problems = [Problem("CH0001", "one"), Problem("CH0002", "two", severity="warning")]
    assert diagnostics_text(problems, tmp_path) == "error[CH0001]: one\n\nwarning[CH0002]: two"


def test_colours_add_nothing_else(chain: Path, tmp_path: Path) -> None:
    """Without its control codes, the coloured text is the plain one."""
    problem = Problem("CH0305", "m", str(chain), 12, 5, 8, "n", "h")
    palette = Palette.colored()
    text = diagnostic_text(problem, tmp_path, palette)
    for code in (palette.error, palette.warning, palette.strong, palette.frame, palette.off):
        text = text.replace(code, "")
    assert text == diagnostic_text(problem, tmp_path)
