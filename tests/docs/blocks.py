"""Markdown pages in; their fenced blocks, tables and the commands in them out. Pure but for reading the pages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / "examples" / name / "README.md" for name in ("hello", "rag", "subclassing")),
)
_FENCE = re.compile(r"^```(\S*) ?(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
_PUNCTUATION = frozenset("();<>|&")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its page, the line of its fence, the words behind the fence, the text."""

    page: Path
    line: int
    language: str
    mark: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command of a console block and the lines that it prints."""

    command: str
    output: tuple[str, ...]


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page, line, found[1], found[2].strip(), found[3])


def all_blocks(language: str, *marks: str) -> list[Block]:
    """Return the blocks of all pages in a language; with marks only those that carry one of them."""
    found = (block for page in PAGES for block in blocks_of(page))
    return [b for b in found if b.language == language and (not marks or b.mark in marks)]


def prose_of(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def exchanges_of(block: Block) -> list[Exchange]:
    """Split a console block at its prompts."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    lines = [part.rstrip("\n").split("\n") for part in parts]
    return [Exchange(first, tuple(rest)) for first, *rest in lines]


def chainctl_calls(script: str) -> Iterator[list[str]]:
    """Yield the arguments of every `chainctl` that a shell script calls."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        words = list(lexer)
        for start in (i for i, word in enumerate(words) if word == "chainctl"):
            rest = words[start + 1 :]
            end = next((i for i, word in enumerate(rest) if set(word) <= _PUNCTUATION), len(rest))
            yield rest[:end]


def section_of(page: Path, heading: str) -> str:
    """Return the text below a heading up to the next one of the same or a higher level."""
    level = len(heading) - len(heading.lstrip("#"))
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(heading)}\n((?:.*\n)*?)(?=#{{1,{level}}} |\Z)", text, flags=re.MULTILINE)
    assert found, f"{page.name} has no section {heading!r}"
    return found[1]


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of all rows of the first table in a text, its header left out."""
    table = re.search(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE)
    assert table, "there is no table"
    lines = table[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def plain(cell: str) -> str:
    """Return a cell without the marks of code."""
    return cell.strip("`").replace("\\|", "|")
