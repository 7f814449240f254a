"""A template and a directory in; a small project that passes its own tests, written there, out."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from chainctl.build.plan import repository_part
from chainctl.errors import ChainctlError, UsageError
from chainctl.templates import render
from chainctl.version import __version__
from chainctl.workflows.init_templates import TEMPLATES, ProjectTemplate

_NAME_LIMIT = 40


@dataclass(frozen=True, slots=True)
class Project:
    """What was written: the files, sorted, and the two commands to go on with."""

    chain: str
    template: str
    directory: Path
    files: tuple[Path, ...]
    next_commands: tuple[str, str]


def init_project(template: str, directory: Path) -> Project:
    """Write all files of a template. Raises UsageError when one of them exists: nothing is written then."""
    chosen = template_named(template)
    chain = chain_name_of(directory)
    texts = {directory / name: text for name, text in rendered_files(chosen, chain).items()}
    _require_free(texts)
    for path, text in texts.items():
        _write(path, text)
    return Project(chain, chosen.name, directory, tuple(texts), next_commands(chosen, directory / "chain.py"))


def template_named(name: str) -> ProjectTemplate:
    """Look a template up. Raises UsageError."""
    if name in TEMPLATES:
        return TEMPLATES[name]
    near = difflib.get_close_matches(name, TEMPLATES, 1)
    hint = f"did you mean `{near[0]}`?" if near else f"use one of {', '.join(TEMPLATES)}."
    raise UsageError(f"there is no template called {name}", hint=hint)


def chain_name_of(directory: Path) -> str:
    """The name of a directory, made into one that images and addresses can have."""
    return repository_part(directory.resolve().name)[:_NAME_LIMIT].strip("-")


def rendered_files(template: ProjectTemplate, chain: str) -> dict[str, str]:
    """Render every file of a project; keys are paths in it, sorted."""
    values = {"chain": chain, "version": __version__, "secrets": template.secrets}
    return {name: render(source, values) for name, source in template.sources.items()}


def next_commands(template: ProjectTemplate, file: Path) -> tuple[str, str]:
    """What to type next: try the chain out, then bring it up."""
    shown = shlex.quote(str(file))
    return template.first_try.format(file=shown), f"chainctl push {shown}"


def _require_free(texts: Mapping[Path, str]) -> None:
    taken = sorted({str(obstacle) for path in texts for obstacle in _obstacles(path)})
    if taken:
        raise UsageError(
            f"{len(taken)} of the files to write exist{'s' if len(taken) == 1 else ''} already",
            hint="name another directory: `chainctl init DIR`. Nothing was written.",
            details=taken,
        )


def _obstacles(path: Path) -> Iterator[Path]:
    """The path itself where something is there, and parents that are no directories."""
    if os.path.lexists(path):
        yield path
    yield from (parent for parent in path.parents if os.path.lexists(parent) and not parent.is_dir())


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ChainctlError(
            f"{path} cannot be written: {error.strerror}", hint="name a directory that you may write to."
        ) from error
