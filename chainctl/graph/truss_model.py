"""A Truss directory in; the spec of the service that runs its model, or its problems, out. Child interpreter only."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from chainctl.errors import ChainDefinitionError, Problem
from chainctl.graph.chain_file import TRUSS_CONFIG, ChainFile
from chainctl.graph.graph import ChainGraph, ChainletSpec, Introspection, SourceFileRef
from chainctl.graph.import_file import import_chain
from chainctl.graph.truss_directory import TrussDirectory, model_problems, read_directory
from chainctl.sdk.locate import SourceFile
from chainctl.worker.models.schemas import schemas_of

_WHY = "in the model's directory"


@dataclass(frozen=True, slots=True)
class FoundModel:
    """What describes the model of a Truss directory: its spec, and warnings. None with problems."""

    spec: ChainletSpec | None
    problems: tuple[Problem, ...] = ()


def introspect_truss(file: ChainFile) -> Introspection:
    """Describe a Truss directory as a chain of one service."""
    try:
        directory = read_directory(file.root)
    except ChainDefinitionError as error:
        return Introspection(tuple(error.problems))
    found = truss_model(directory)
    if found.spec is None:
        return Introspection(found.problems)
    return Introspection(
        (),
        ChainGraph(
            chain=directory.name,
            root=str(file.root),
            path=str(file.path),
            entrypoint=found.spec.name,
            chainlets=(found.spec,),
            edges=(),
            warnings=found.problems,
        ),
    )


def truss_model(directory: TrussDirectory, name: str = "") -> FoundModel:
    """Import a directory's model, check it, and describe it by a name, its class's own where there is none."""
    with _importable(directory):
        cls = _model_class(directory)
        if isinstance(cls, Problem):
            return FoundModel(None, (*directory.warnings, cls))
        problems = () if cls is None else tuple(model_problems(cls, directory))
        if any(problem.is_error for problem in problems):
            return FoundModel(None, (*directory.warnings, *problems))
        spec = _spec(directory, cls, name or directory.class_name)
    return FoundModel(spec, (*directory.warnings, *problems))


def _spec(directory: TrussDirectory, cls: type | None, name: str) -> ChainletSpec:
    config = directory.remote_config.model_copy(update={"name": name})
    written: dict[str, Any] = json.loads(config.model_dump_json(exclude_unset=True))
    line = SourceFile.read(str(directory.model_file)).of_class(directory.class_name).line if cls else 1
    schemas = schemas_of(cls)
    return ChainletSpec(
        name=name,
        class_name=directory.class_name,
        module=directory.module,
        qualname=directory.class_name,
        path=str(directory.model_file if cls else directory.root / TRUSS_CONFIG),
        line=line,
        config=written,
        is_async=True,
        is_stream=False,
        input_schema=schemas[0],
        output_schema=schemas[1],
        files=_files(directory),
        is_websocket=hasattr(cls, "websocket"),
        truss_config=directory.config,
        config_lines=dict(directory.lines),
    )


def _files(directory: TrussDirectory) -> tuple[SourceFileRef, ...]:
    found = ((path.relative_to(directory.root).as_posix(), path) for path in directory.files)
    return tuple(SourceFileRef(name, str(path), _WHY) for name, path in sorted(found))


# --- importing -------------------------------------------------------------------------------


def _model_class(directory: TrussDirectory) -> type | Problem | None:
    """The model's class; None where a server of somebody else's takes the calls."""
    if directory.config.get("docker_server"):
        return None
    file = ChainFile(directory.model_file, directory.root, directory.module)
    module = import_chain(file)
    if isinstance(module, Problem):
        return replace(module, help=module.help.replace("`__init__` or `run_remote`", "`load`"))
    found = getattr(module, directory.class_name, None)
    if isinstance(found, type):
        return found
    what = "has no class" if found is None else "has something else than a class called"
    return Problem(
        "CH0109",
        f"{directory.model_file.relative_to(directory.root)} {what} `{directory.class_name}`",
        str(directory.model_file),
        1,
        help=f"call the class so, or name it in {TRUSS_CONFIG}: `model_class_name`",
    )


@contextmanager
def _importable(directory: TrussDirectory) -> Iterator[None]:
    """Let a directory's modules be imported as in its container; what others are called alike stays theirs."""
    top = directory.module.partition(".")[0]
    packages = [str(p) for p in directory.remote_config.docker_image.external_package_dirs or ()]
    path, others = list(sys.path), _taken(top)
    sys.path[:0] = [str(directory.root)]
    sys.path += packages
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = path
        _taken(top)
        sys.modules.update(others)


def _taken(top: str) -> dict[str, Any]:
    """Take a package, with all below it, out of the modules that are loaded."""
    names = [name for name in sys.modules if name == top or name.startswith(f"{top}.")]
    return {name: sys.modules.pop(name) for name in names}
