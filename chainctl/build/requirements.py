"""A chainlet's requirements in whatever form the user keeps them in; pip requirements files out."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from chainctl.build.context import ContextFile
from chainctl.build.snapshot import SourceSnapshot
from chainctl.errors import ChainDefinitionError, Problem
from chainctl.sdk.config import DockerImage

# What the runtime in the image needs; loose, so that the user's own pins decide.
RUNTIME_REQUIREMENTS = (
    "httptools>=0.5",
    "pydantic>=2.5,<3",
    "uvicorn>=0.20",
    "uvloop>=0.17; platform_python_implementation == 'CPython'",
)
_INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[\s=]+(\S+)")


def requirement_files(image: DockerImage, snapshot: SourceSnapshot) -> tuple[list[ContextFile], list[str]]:
    """Return files for `requirements/` in the context, and the names of those that pip is given."""
    files = [_text_file("runtime.txt", RUNTIME_REQUIREMENTS)]
    given = ["runtime.txt"]
    if image.pip_requirements:
        files.append(_text_file("pip_requirements.txt", image.pip_requirements))
        given.append("pip_requirements.txt")
    file = image.requirements_file or image.pip_requirements_file
    if file is None:
        return files, given
    text = snapshot.texts[str(file)]
    if file.path.name == "pyproject.toml":
        return [*files, _text_file("pyproject.txt", pyproject_requirements(text, str(file)))], [
            *given,
            "pyproject.txt",
        ]
    if file.path.name == "uv.lock":
        return [*files, _text_file("uv_lock.txt", locked_requirements(text, str(file)))], [
            *given,
            "uv_lock.txt",
        ]
    included = _with_includes(str(file), snapshot.texts)
    files += [ContextFile.of_text(f"requirements/user/{path}", text) for path, text in included]
    return files, [*given, f"user/{file.path.name}"]


def _text_file(name: str, lines: Iterator[str] | tuple[str, ...]) -> ContextFile:
    return ContextFile.of_text(f"requirements/{name}", "".join(f"{line}\n" for line in lines))


def _with_includes(start: str, texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """A pip file and the files that it includes, by paths relative to the directory of the first."""
    root = posixpath.dirname(start)
    return sorted((posixpath.relpath(path, root), texts[path]) for path in included_paths(start, texts))


def included_paths(start: str, texts: Mapping[str, str]) -> set[str]:
    """Absolute paths of a pip file and of all files it includes (`-r`, `-c`) that `texts` has."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in found or path not in texts:
            continue
        found.add(path)
        waiting += included_names(path, texts[path])
    return found


def included_names(path: str, text: str) -> list[str]:
    """Absolute paths of the local files that one pip requirements file includes."""
    names = [m[1] for line in text.splitlines() if (m := _INCLUDE.match(line)) and "://" not in m[1]]
    return [posixpath.normpath(posixpath.join(posixpath.dirname(path), name)) for name in names]


def pyproject_requirements(text: str, path: str) -> tuple[str, ...]:
    """The `[project] dependencies` of a pyproject. Raises ChainDefinitionError when it has none."""
    dependencies = _toml(text, path).get("project", {}).get("dependencies")
    if not isinstance(dependencies, list):
        raise _unreadable(path, "has no `[project] dependencies`")
    return tuple(str(item) for item in dependencies)


def locked_requirements(text: str, path: str) -> tuple[str, ...]:
    """Pins of all packages that the project of a `uv.lock` needs, without extras and groups."""
    packages = _toml(text, path).get("package", [])
    by_name: dict[str, list[dict[str, Any]]] = {}
    for package in packages:
        by_name.setdefault(package["name"], []).append(package)
    roots = [p for p in packages if {"virtual", "editable", "directory"} & set(p.get("source", {}))]
    if not roots:
        raise _unreadable(path, "names no project of its own")
    return tuple(sorted(_pins(roots, by_name)))


def _pins(roots: list[dict[str, Any]], by_name: Mapping[str, list[dict[str, Any]]]) -> set[str]:
    pins: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [(dependency, "") for root in roots for dependency in root.get("dependencies", [])]
    while waiting:
        dependency, marker = waiting.pop()
        marker = _both(marker, dependency.get("marker", ""))
        for package in by_name.get(dependency["name"], []):
            if dependency.get("version", package.get("version")) != package.get("version"):
                continue
            pin = _pin(package, dependency)
            if (pin, marker) in seen:
                continue
            seen.add((pin, marker))
            pins.add(f"{pin} ; {marker}" if marker else pin)
            waiting += [(d, marker) for d in package.get("dependencies", [])]
            for extra in dependency.get("extra", []):
                waiting += [(d, marker) for d in package.get("optional-dependencies", {}).get(extra, [])]
    return pins


def _pin(package: dict[str, Any], dependency: dict[str, Any]) -> str:
    extras = ",".join(dependency.get("extra", []))
    name = f"{package['name']}[{extras}]" if extras else package["name"]
    source = package.get("source", {})
    if "git" in source:
        return f"{name} @ git+{source['git'].replace('?rev=', '@').split('#')[0]}"
    if "url" in source:
        return f"{name} @ {source['url']}"
    return f"{name}=={package['version']}"


def _both(first: str, second: str) -> str:
    if first and second and first != second:
        return f"({first}) and ({second})"
    return first or second


def _toml(text: str, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(path, f"is no TOML: {error}") from error


def _unreadable(path: str, why: str) -> ChainDefinitionError:
    help_text = "give a pip requirements file, a pyproject.toml with `[project]`, or a uv.lock"
    return ChainDefinitionError([Problem("CH0504", f"the requirements file {why}", path, help=help_text)])
