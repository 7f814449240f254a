"""Loaded chainlets and the classes that are to stand for them in; specs of these, or their problems, out.

Child interpreter only, but for `FakeFile`.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from chainctl.errors import Problem
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.describe import class_span, source_files
from chainctl.graph.graph import ChainGraph, ChainletSpec, SourceFileRef
from chainctl.graph.import_file import import_chain
from chainctl.graph.imports import Closure, Import, closure_of
from chainctl.graph.requirements import distributions_of, requirement_name, requirement_texts
from chainctl.sdk.config import DockerImage, RemoteConfig
from chainctl.sdk.fake_checks import fake_problems
from chainctl.truss.kinds import TrussChainlet


@dataclass(frozen=True, slots=True)
class FakeFile:
    """Which class of which file stands for the chainlet of a display name; `file.entrypoint` is the class."""

    chainlet: str
    file: ChainFile

    def below(self, chain: ChainFile) -> FakeFile:
        """Import it as the chain's own files are, where it is among them: then both see the same modules."""
        if not self.file.path.is_relative_to(chain.root):
            return self
        parts = self.file.path.relative_to(chain.root).with_suffix("").parts
        return replace(self, file=replace(self.file, root=chain.root, module=".".join(parts)))


@dataclass(frozen=True, slots=True)
class Fakes:
    """What became of them; `specs` are complete only where there are no problems."""

    problems: tuple[Problem, ...]
    specs: tuple[ChainletSpec, ...]


def describe_fakes(graph: ChainGraph, chain: ChainFile, wanted: Iterable[FakeFile]) -> Fakes:
    """Import and check each class, and describe it as the chainlet that it stands for.

    Chainlets that the graph does not have are left out: the names are the caller's.
    """
    problems: list[Problem] = []
    specs: list[ChainletSpec] = []
    names = {spec.name for spec in graph.chainlets}
    for fake in (one.below(chain) for one in wanted if one.chainlet in names):
        spec = graph.chainlet(fake.chainlet)
        cls = _loaded(fake.file)
        if isinstance(cls, Problem):
            problems.append(cls)
            continue
        problems += fake_problems(_real(spec), cls)
        specs.append(_spec(spec, cls, fake.file, chain))
    return Fakes(tuple(problems), tuple(specs))


def _loaded(file: ChainFile) -> type | Problem:
    module = import_chain(file)
    if isinstance(module, Problem):
        return module
    value = getattr(module, file.entrypoint or "", None)
    if isinstance(value, type):
        return value
    return Problem(
        "CH1001",
        f"{file.path.name} has no class `{file.entrypoint}`",
        str(file.path),
        help="check the name after the colon",
    )


def _real(spec: ChainletSpec) -> type:
    """The class that a fake is held to; of a Truss directory, what others call."""
    if spec.truss_config is not None:
        return TrussChainlet
    value: Any = importlib.import_module(spec.module)
    for part in spec.qualname.split("."):
        value = getattr(value, part)
    assert isinstance(value, type)
    return value


def _spec(real: ChainletSpec, cls: type, file: ChainFile, chain: ChainFile) -> ChainletSpec:
    span = class_span(cls)
    closure = closure_of(file.path, list(dict.fromkeys([chain.root, chain.path.parent, file.root])))
    return replace(
        real,
        class_name=cls.__name__,
        module=cls.__module__,
        qualname=cls.__qualname__,
        path=span.path or str(file.path),
        line=span.line,
        config=_config(real, cls, closure.external),
        files=_files(closure, chain.root, file.root),
        truss_config=None,
        config_lines={},
    )


def _files(closure: Closure, *roots: Path) -> tuple[SourceFileRef, ...]:
    """The files below the roots, each once, relative to the first that it is below."""
    found: dict[str, SourceFileRef] = {}
    for root in roots:
        for file in source_files(closure, root):
            found.setdefault(file.source, file)
    return tuple(sorted(found.values(), key=lambda file: file.path))


def _config(real: ChainletSpec, cls: type, imports: Sequence[Import]) -> dict[str, Any]:
    """What it says of itself; else those requirements of the chainlet that its files import when loaded."""
    own = getattr(cls, "remote_config", None)
    if isinstance(own, RemoteConfig) and own != RemoteConfig():
        written: dict[str, Any] = json.loads(own.model_dump_json(exclude_unset=True))
        return {**written, "name": real.name}
    image = real.remote_config.docker_image
    needed = {d for one in imports if one.is_top_level for d in _distributions(one)}
    texts = [text for text in requirement_texts(image) if _name(text) in needed]
    config = RemoteConfig(
        name=real.name, docker_image=DockerImage(base_image=image.base_image, pip_requirements=texts)
    )
    dumped: dict[str, Any] = json.loads(config.model_dump_json(exclude_unset=True))
    return dumped


def _distributions(imported: Import) -> Iterator[str]:
    yield from map(str, map(canonicalize_name, distributions_of(imported.module.split(".")[0])))


def _name(text: str) -> str:
    name = requirement_name(text)
    return str(canonicalize_name(name)) if name else ""
