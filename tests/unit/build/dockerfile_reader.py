"""A Dockerfile's text in; its instructions as Docker's parser reads them out. For tests of what we render.

Follows the rules of the Dockerfile reference: a backslash at the end of a line continues it, comment lines
vanish even inside a continued instruction, and ENV and LABEL split into words with quotes and escapes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CONTINUED = re.compile(r"(?:^|[^\\])\\[ \t]*$")
_HEREDOC = re.compile(r"^\d*<<-?[^<]*$")


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word in capitals, and all the rest."""

    word: str
    rest: str


def instructions(text: str) -> list[Instruction]:
    """Read all instructions. Raises ValueError for an instruction that does not end."""
    found: list[Instruction] = []
    open_line = ""
    for line in text.split("\n"):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        line = line.rstrip("\r")
        if not open_line:
            line = line.lstrip()
        if _CONTINUED.search(line):
            open_line += re.sub(r"\\[ \t]*$", "", line)
            continue
        word, _, rest = (open_line + line).partition(" ")
        open_line = ""
        found.append(Instruction(word.upper(), rest.strip()))
    if open_line:
        raise ValueError(f"an instruction does not end: {open_line}")
    return found


def pairs(rest: str) -> dict[str, str]:
    """Read the `name=value` words of ENV or LABEL, as they are after expansion with no variable set."""
    named = (word.partition("=") for word in words(rest))
    return {name: value for name, _, value in named}


def words(rest: str) -> list[str]:
    """Split into words. Raises ValueError for an open quote and for anything that would be expanded."""
    found: list[str] = []
    word: str | None = None
    quote = ""
    characters = iter(rest)
    for c in characters:
        if c == "\\" and quote != "'":
            following = next(characters, "")
            keeps = quote == '"' and following not in '"$\\'
            word = (word or "") + (c if keeps else "") + following
        elif quote:
            quote, word = ("", word or "") if c == quote else (quote, _with(word, c, quote))
        elif c in "\"'":
            quote, word = c, word or ""
        elif c.isspace():
            found += [word] if word is not None else []
            word = None
        else:
            word = _with(word, c, quote)
    if quote:
        raise ValueError(f"a quote is not closed: {rest}")
    return [*found, *([word] if word is not None else [])]


def has_heredoc(rest: str) -> bool:
    """Say whether BuildKit would take a word of RUN for the beginning of a here-document."""
    return any(_HEREDOC.match(word) for word in re.findall(r"(?:\"(?:\\.|[^\"\\])*\"|'[^']*'|\S)+", rest))


def _with(word: str | None, character: str, quote: str) -> str:
    if character == "$" and quote != "'":
        raise ValueError("a variable would be expanded")
    return (word or "") + character
