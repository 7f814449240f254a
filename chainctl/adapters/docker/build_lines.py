"""The pieces in which a response arrives in; its lines out, none of them longer than we can bear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chainctl.errors import EngineError

LONGEST = 32 << 20


def bounded_lines(pieces: Iterable[bytes], longest: int = LONGEST) -> Iterator[bytes]:
    """Yield the lines that hold something. Raises EngineError for one that does not end."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        first, *others = piece.split(b"\n")
        held.append(first)
        size += len(first)
        for line in others:
            yield from filter(None, [b"".join(held)])
            held, size = [line], len(line)
        if size > longest:
            raise EngineError("The engine's answer to a build has a line without an end")
    yield from filter(None, [b"".join(held)])
