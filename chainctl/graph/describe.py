"""Checked chainlet classes in; their specs and edges, and the problems that only files and schemas show, out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chainctl.calls.arguments import arguments_codec
from chainctl.errors import Problem
from chainctl.graph.brought import with_brought
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.graph import ChainGraph, ChainletSpec, Edge, SourceFileRef
from chainctl.graph.imports import Closure, Mention, closure_of
from chainctl.graph.placeholders import missing_in
from chainctl.graph.requirements import invalid_requirements, requirement_problems
from chainctl.sdk.chainlet import EntrypointMark
from chainctl.sdk.config import RemoteConfig
from chainctl.sdk.declaration import Declaration, declaration_of
from chainctl.sdk.locate import SourceFile, Span
from chainctl.sdk.subject import Subject
from chainctl.wire.signature import ResultCodec


class Description:
    """Describes checked chainlets, and finds the problems that only their files and schemas show.

    `members` are described already: those that are Truss directories.
    """

    def __init__(self, file: ChainFile, classes: list[type], members: Mapping[type, ChainletSpec]) -> None:
        self._file = file
        self._declarations = [declaration_of(cls) for cls in classes]
        self._closures: dict[tuple[str, tuple[Path, ...]], Closure] = {}
        self._specs = list(members.values())
        self.problems: list[Problem] = []
        for declaration in self._declarations:
            if declaration.cls not in members:
                self._describe(declaration)

    def graph(
        self, entrypoint: type, mark: EntrypointMark | None, warnings: tuple[Problem, ...]
    ) -> ChainGraph:
        name = display_name(entrypoint)
        return ChainGraph(
            chain=(mark.chain_name if mark else None) or name,
            root=str(self._file.root),
            path=str(self._file.path),
            entrypoint=name,
            chainlets=tuple(sorted(self._specs, key=lambda s: s.name)),
            edges=tuple(sorted(self._edges(), key=lambda e: (e.caller, e.argument))),
            warnings=warnings,
        )

    def _describe(self, declaration: Declaration) -> None:
        cls, endpoint = declaration.cls, declaration.endpoint
        span = class_span(cls)
        schemas = self._schemas(declaration)
        closure = self._closure(cls, declaration.config)
        place = span.problem("", "")
        config = with_brought(declaration.config, closure.external)
        self.problems += invalid_requirements(declaration.display_name, config, place)
        self.problems += requirement_problems(declaration.display_name, config, closure.external)
        self._specs.append(
            ChainletSpec(
                name=declaration.display_name,
                class_name=cls.__name__,
                module=cls.__module__,
                qualname=cls.__qualname__,
                path=span.path,
                line=span.line,
                config=self._config(cls, config, span),
                is_async=endpoint.is_async,
                is_stream=endpoint.is_stream,
                input_schema=schemas[0],
                output_schema=schemas[1],
                files=source_files(closure, self._file.root),
                takes_stream=endpoint.item_parameter is not None,
                is_websocket=endpoint.is_websocket,
                config_lines={"resources": Subject(cls).at("remote_config").line},
            )
        )

    def _config(self, cls: type, written: RemoteConfig, span: Span) -> dict[str, Any]:
        try:
            config: dict[str, Any] = json.loads(written.model_dump_json(exclude_unset=True))
        except ValueError as error:
            self.problems.append(
                span.problem(
                    "CH0503",
                    f"`{cls.__name__}.remote_config` holds a value that JSON has no form for: {error}",
                    help="use texts, numbers, lists and dictionaries in `metadata`, `cached` and the like",
                )
            )
            return {}
        return config

    def _schemas(self, declaration: Declaration) -> tuple[dict[str, Any], dict[str, Any]]:
        cls, endpoint = declaration.cls, declaration.endpoint
        try:
            schemas = (
                arguments_codec(cls.__name__, endpoint).schema(),
                ResultCodec(endpoint.returns).schema(),
            )
        except Exception as error:  # noqa: BLE001  # a user's own schema hooks run here
            self.problems.append(self._schema_problem(cls, str(error).split("\n")[0]))
            return {}, {}
        missing = missing_in(list(schemas))
        if missing:
            self.problems.append(
                class_span(cls).problem(
                    "CH0409",
                    f"the types of `{cls.__name__}.run_remote` contain `{missing}`, which is not installed here",
                    note="types in a signature must be known to check them and to publish their schema",
                    help=f"install `{missing.split('.')[0]}` here, or use a built-in type or a model",
                )
            )
        return schemas

    def _schema_problem(self, cls: type, reason: str) -> Problem:
        return class_span(cls).problem(
            "CH0406",
            f"the types of `{cls.__name__}.run_remote` have no JSON Schema: {reason}",
            help="use what pydantic can validate and describe, or add a schema to your own type",
        )

    def _closure(self, cls: type, config: RemoteConfig) -> Closure:
        module_file = str(getattr(sys.modules[cls.__module__], "__file__", self._file.path))
        external = tuple(p.path for p in config.docker_image.external_package_dirs or ())
        if (module_file, external) not in self._closures:
            roots = dict.fromkeys([self._file.root, self._file.path.parent, *external])
            self._closures[module_file, external] = closure_of(Path(module_file), list(roots))
        return self._closures[module_file, external]

    def _edges(self) -> Iterator[Edge]:
        for declaration in self._declarations:
            for dependency in declaration.dependencies:
                options = dependency.options
                yield Edge(
                    caller=declaration.display_name,
                    callee=display_name(dependency.target),
                    argument=dependency.argument,
                    retries=options.retries,
                    timeout_sec=options.timeout_sec,
                )


def source_files(closure: Closure, root: Path) -> tuple[SourceFileRef, ...]:
    """The files of a closure that are below a root, each with what asks for it."""
    inside = sorted(path for path in closure.files if path.is_relative_to(root))
    return tuple(
        SourceFileRef(path.relative_to(root).as_posix(), str(path), _why(closure.mentions.get(path), root))
        for path in inside
    )


def _why(mention: Mention | None, root: Path) -> str:
    """What asks for a file, in words. A file outside the root is called by its name alone."""
    if mention is None:
        return ""
    path = mention.path.relative_to(root) if mention.path.is_relative_to(root) else Path(mention.path.name)
    return f"{mention.tie} {path.as_posix()}{f':{mention.line}' if mention.line else ''}"


def display_name(cls: type) -> str:
    return str(getattr(cls, "display_name", cls.__name__))


def class_span(value: Any, name: str = "") -> Span:
    source = SourceFile.of_module(getattr(value, "__module__", ""))
    qualname = getattr(value, "__qualname__", name)
    return source.of_class(qualname) if isinstance(value, type) else source.of_function(qualname)
