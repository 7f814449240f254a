"""`Chainlet=http://…` and `Chainlet=file.py:Class` in; what stands for which chainlet, out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chainctl.errors import UsageError
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.fakes import FakeFile
from chainctl.graph.graph import ChainGraph

_PATH = "/run_remote"


@dataclass(frozen=True, slots=True)
class Replacements:
    """URLs without a slash at the end, and classes, by the display names of chainlets."""

    urls: Mapping[str, str] = field(default_factory=dict)
    fakes: tuple[FakeFile, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted([*self.urls, *(fake.chainlet for fake in self.fakes)]))


def replacements_of(texts: Sequence[str]) -> Replacements:
    """Read what the user wrote. Raises UsageError, and ChainDefinitionError for a file that is none."""
    urls: dict[str, str] = {}
    fakes: list[FakeFile] = []
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name or not value:
            raise _unreadable(text)
        if value.startswith(("http://", "https://")):
            urls[name] = value.rstrip("/").removesuffix(_PATH).rstrip("/")
        else:
            file = ChainFile.parse(value)
            if file.entrypoint is None:
                raise _unreadable(text)
            fakes.append(FakeFile(name, file))
    names = [text.partition("=")[0] for text in texts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{', '.join(twice)} is replaced twice", hint="give one `--replace` for a chainlet.")
    return Replacements(urls, tuple(fakes))


def require_known(graph: ChainGraph, names: Iterable[str], option: str) -> None:
    """Raise UsageError for a name that no chainlet has."""
    known = [spec.name for spec in graph.chainlets]
    for name in names:
        if name not in known:
            raise UsageError(
                f"the chain has no chainlet called {name}",
                hint=f"`{option}` takes one of {', '.join(known)}.",
            )


def require_something_left(graph: ChainGraph, replacements: Replacements) -> None:
    """Raise UsageError when the entrypoint runs elsewhere: then nothing would run here."""
    if graph.entrypoint in replacements.urls:
        raise UsageError(
            f"{graph.entrypoint} is the entrypoint: with a URL in its place nothing runs here",
            hint=f"call that URL itself: `chainctl call {replacements.urls[graph.entrypoint]} …`.",
        )


def _unreadable(text: str) -> UsageError:
    return UsageError(
        f"`--replace {text}` says not what stands for which chainlet",
        hint="write `--replace Chainlet=http://HOST:PORT`, or `--replace Chainlet=fakes.py:Class`.",
    )
