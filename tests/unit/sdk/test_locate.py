"""Where classes, methods, arguments and results stand in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainctl.sdk.locate import SourceFile, Span

TEXT = """\
import x
\x0c
class Große(x.Base):
    größe = "ä"; other = 3

    @x.decorated(
        "more"
    )
    async def run_remote(self, ä: int, /, *names: str, **options: "ß") -> list[
        str
    ]:
        return []

    if x:
        def hidden(self): ...


def outer():
    class Inner(x.Base):
        def run_remote(self): return 1


class Twice: pass
class Twice: run_remote: int = 3
"""


def shown(span: Span) -> str:
    """The text that a span covers."""
    line = TEXT.split("\n")[span.line - 1]
    return line[span.column - 1 : span.end_column - 1]


@pytest.fixture
def source() -> SourceFile:
    return SourceFile("chain.py", TEXT)


@pytest.mark.parametrize(
    ("qualname", "member", "text", "line"),
    [
        ("Große", "run_remote", "run_remote", 9),
        ("Große", "größe", 'größe = "ä"', 4),
        ("Große", "other", "other = 3", 4),
        ("Große", "hidden", "Große", 3),
        ("Große", "absent", "Große", 3),
        ("outer.<locals>.Inner", "run_remote", "run_remote", 20),
        ("Twice", "run_remote", "run_remote: int = 3", 24),
    ],
)
def test_members(source: SourceFile, qualname: str, member: str, text: str, line: int) -> None:
    """A member is found under its class, the last definition of it, else the class itself."""
    span = source.of_method(qualname, member)
    assert (shown(span), span.line, span.path) == (text, line, "chain.py")


@pytest.mark.parametrize(
    ("parameter", "text"),
    [("ä", "ä: int"), ("names", "names: str"), ("options", 'options: "ß"'), ("absent", "run_remote")],
)
def test_parameters(source: SourceFile, parameter: str, text: str) -> None:
    """Arguments of every kind are found with their annotations, counted in characters."""
    assert shown(source.of_parameter("Große", "run_remote", parameter)) == text


def test_results(source: SourceFile) -> None:
    """A result's type that spans lines is shown by its first one; without one the method is."""
    assert shown(source.of_return("Große", "run_remote")) == "list["
    assert shown(source.of_return("outer.<locals>.Inner", "run_remote")) == "run_remote"


def test_functions_at_module_level(source: SourceFile) -> None:
    """Functions are found by name; what is not there has no line."""
    assert shown(source.of_function("outer")) == "outer"
    assert source.of_function("absent") == Span("chain.py")
    assert source.of_class("Absent") == Span("chain.py")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfclass A: pass\n",
        b"# coding: latin-1\nx = '\xfc'\nclass A: pass\n",
        b"\r\nclass A: pass\r\n",
        "x = 'ä'\nclass A: pass\n".encode(),
    ],
)
def test_encodings(tmp_path: Path, content: bytes) -> None:
    """Files are read as Python reads them: byte order marks, coding comments, all line ends."""
    path = tmp_path / "chain.py"
    path.write_bytes(content)
    span = SourceFile.read(str(path)).of_class("A")
    assert (span.line > 0, span.column, span.end_column) == (True, 7, 8)


@pytest.mark.parametrize("content", [b"def (", b"\xff", b"x = '\x00'", b"# coding: nonsense\n", None])
def test_unreadable_files(tmp_path: Path, content: bytes | None) -> None:
    """A file that cannot be read or parsed has no places, and that is no error."""
    path = tmp_path / "chain.py"
    if content is not None:
        path.write_bytes(content)
    assert SourceFile.read(str(path)).of_class("A") == Span(str(path))


def test_modules_without_a_file() -> None:
    """A module that came from no file has no places."""
    assert SourceFile.of_module("sys").of_class("A").line == 0
    assert SourceFile.of_module("no_such_module").of_class("A").line == 0
    assert SourceFile.of_module(__name__).of_function("shown").line > 0
