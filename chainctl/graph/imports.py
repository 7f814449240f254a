"""A Python file in; what it imports, and the transitive files of its project that it needs, out.

Nothing is executed: imports are read from the syntax tree, so that imports inside functions count
too. A file is needed when a needed module imports it or names it in a string (`"prompts/system.txt"`).
"""

from __future__ import annotations

import ast
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeGuard

from chainctl.sdk.locate import SourceFile

# Statements in which an import may not happen, or may fail without harm (`with suppress(ImportError)`).
_GUARDS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.If, ast.Try, ast.With, ast.Match)


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module. `is_top_level` when importing the file executes it unguarded."""

    module: str
    names: tuple[str, ...]
    path: str
    line: int
    column: int
    is_top_level: bool


class Tie(StrEnum):
    """What makes a file needed by another one."""

    IMPORT = "imported by"
    NAME = "named in"
    PACKAGE = "package of"
    DATA = "beside"


@dataclass(frozen=True, slots=True)
class Mention:
    """Where a file is first asked for. `line` is 0 where a whole file is what asks."""

    tie: Tie
    path: Path
    line: int = 0


@dataclass(slots=True)
class Closure:
    """All files that a module needs, where each is first mentioned, and all imports from outside the project.

    First is what is fewest steps away from the start; the start itself is mentioned nowhere.
    """

    files: set[Path] = field(default_factory=set)
    mentions: dict[Path, Mention] = field(default_factory=dict)
    external: list[Import] = field(default_factory=list)

    def mention(self, paths: Iterable[Path], mention: Mention) -> list[Path]:
        """Note where files are asked for, unless it is known of them; give them back."""
        found = list(paths)
        for path in found:
            self.mentions.setdefault(path, mention)
        return found


def closure_of(start: Path, roots: Sequence[Path]) -> Closure:
    """Follow imports from one file through the project's roots. Linear in the files it reaches.

    What loading the start file loads comes first, and only its imports count as top-level: a module
    that is imported in a function is loaded when that function runs, with all that it imports.
    """
    closure = Closure()
    loaded, later = deque([start]), deque[Path]()
    while loaded or later:
        is_loaded = bool(loaded)
        path = (loaded or later).popleft()
        if path in closure.files:
            continue
        closure.files.add(path)
        if path.suffix != ".py":
            continue
        following = loaded if is_loaded else later
        tree = SourceFile.read(str(path)).tree or ast.Module([], [])
        own = closure.mentions.get(path, Mention(Tie.PACKAGE, path))
        following += closure.mention(_package_inits(path, roots), own)
        for imported in _imports(tree, path, roots, is_loaded=is_loaded):
            found = closure.mention(_locate(imported, roots), Mention(Tie.IMPORT, path, imported.line))
            (following if imported.is_top_level else later).extend(found)
            if not found:
                closure.external.append(imported)
        for named, line in _named_files(tree, path.parent):
            later += closure.mention([named], Mention(Tie.NAME, path, line))
        later += closure.mention(_package_data(path), Mention(Tie.DATA, path))
    closure.mentions.pop(start, None)
    return closure


def _imports(tree: ast.Module, path: Path, roots: Sequence[Path], *, is_loaded: bool) -> Iterator[Import]:
    for node, is_top_level in _import_nodes(tree, is_top_level=is_loaded):
        place = (str(path), node.lineno, node.col_offset + 1, is_top_level)
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, (), *place)
        else:
            module = _absolute(node, path, roots)
            if module:
                yield Import(module, tuple(a.name for a in node.names), *place)


def _import_nodes(node: ast.AST, *, is_top_level: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child, is_top_level
        else:
            yield from _import_nodes(child, is_top_level=is_top_level and not isinstance(child, _GUARDS))


def _absolute(node: ast.ImportFrom, path: Path, roots: Sequence[Path]) -> str:
    """Return the dotted name of `from … import`, resolving leading dots against the file's package."""
    if not node.level:
        return node.module or ""
    package = path.parent
    for _ in range(node.level - 1):
        package = package.parent
    for root in roots:
        if package.is_relative_to(root):
            return ".".join([*package.relative_to(root).parts, *([node.module] if node.module else [])])
    return ""


def _locate(imported: Import, roots: Sequence[Path]) -> Iterator[Path]:
    """Yield the project's files that an import names: the module, and submodules that it takes names from."""
    parts = imported.module.split(".") if imported.module else []
    for root in roots:
        base = root.joinpath(*parts)
        module = _module_file(base)
        if module is None and not (base.is_dir() and _holds_python(base)):
            continue
        if module is not None:
            yield module
        for name in imported.names:
            submodule = _module_file(base / name)
            if submodule is not None:
                yield submodule
        return


def _module_file(base: Path) -> Path | None:
    for candidate in (base / "__init__.py", base.with_name(base.name + ".py")):
        if base.name and candidate.is_file():
            return candidate
    return None


def _holds_python(directory: Path) -> bool:
    return any(directory.glob("*.py"))


def _package_data(path: Path) -> Iterator[Path]:
    """Yield the data files beside the `__init__.py` of a package."""
    if path.name == "__init__.py":
        yield from (
            p for p in sorted(path.parent.iterdir()) if p.is_file() and p.suffix not in (".py", ".pyc")
        )


def _package_inits(path: Path, roots: Sequence[Path]) -> Iterator[Path]:
    """Yield the `__init__.py` files above a module of a package."""
    directory = path.parent
    while (directory / "__init__.py").is_file() and any(root in directory.parents for root in roots):
        yield directory / "__init__.py"
        directory = directory.parent


def _named_files(tree: ast.Module, directory: Path) -> list[tuple[Path, int]]:
    """Return the files beside a module that a string in it names, relative and without `..`, by line.

    A directory comes with all that is in it, but not for the sake of a key or a comparison. What
    `make_abs_path_here` names is configuration: it comes into the image by its own way.
    """
    nodes = list(ast.walk(tree))
    configured = {id(a) for node in nodes if _is_path_call(node) for a in node.args}
    keys = {id(key) for node in nodes for key in _keys(node)}
    texts = [n for n in nodes if isinstance(n, ast.Constant) and id(n) not in configured]
    return [
        (path, node.lineno)
        for node in sorted(texts, key=lambda n: n.lineno)
        if isinstance(node.value, str)
        for path in _existing(directory, node.value, with_directories=id(node) not in keys)
    ]


def _is_path_call(node: ast.AST) -> TypeGuard[ast.Call]:
    function = node.func if isinstance(node, ast.Call) else None
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name == "make_abs_path_here"


def _keys(node: ast.AST) -> list[ast.expr | None]:
    """What stands in a node to be looked up or compared, and so names no path."""
    match node:
        case ast.Dict(keys=keys):
            return list(keys)
        case ast.Subscript(slice=index):
            return [index]
        case ast.Compare(left=left, comparators=others):
            return [left, *others]
        case _:
            return []


def _existing(directory: Path, text: str, *, with_directories: bool) -> Iterator[Path]:
    if not 0 < len(text) < 256 or text.startswith(("/", "~", ".")) or ".." in text or "\0" in text:
        return
    if any(c in text for c in "\n*?<>|"):
        return
    path = directory / text
    if os.path.isfile(path):  # noqa: PTH113  # unlike pathlib's, it takes any text for a name
        yield path
    elif with_directories and os.path.isdir(path):  # noqa: PTH112
        yield from (p for p in sorted(path.rglob("*")) if p.is_file() and "__pycache__" not in p.parts)
