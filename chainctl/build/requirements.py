"""A chainlet's requirements in whatever form the user keeps them in; pip requirements files out."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from chainctl.build.context import ContextFile
from chainctl.build.snapshot import SourceSnapshot
from chainctl.errors import ChainDefinitionError, Problem
from chainctl.graph.graph import ChainGraph, ChainletSpec
from chainctl.sdk.config import DockerImage
from chainctl.worker.models.server_settings import has_server

# What the runtime in the image needs; loose, so that the user's own pins decide.
RUNTIME_REQUIREMENTS = (
    "httptools>=0.5",
    "msgpack>=1.0.2",
    "prometheus-client>=0.20",
    "pydantic>=2.9,<3",
    "uvicorn>=0.27",
    "uvloop>=0.17; platform_python_implementation == 'CPython'",
)
# What the server needs besides where a chainlet is called by websocket, or calls sync chainlets from async code.
WEBSOCKET_REQUIREMENTS = ("websockets>=12",)
# What it needs besides where it forwards conversations to a server that the image brings.
FORWARDING_REQUIREMENTS = ("websockets>=15",)
BRIDGE_REQUIREMENTS = ("greenlet>=3",)
_INCLUDE = re.compile(r"^\s*(?:-[rc][\s=]*|--(?:requirement|constraint)[\s=]+)(\S+)")
# Sources of packages that no index has: the project itself and other members of its workspace.
_LOCAL = frozenset(["virtual", "editable", "directory"])
Conditions = frozenset[str]


@dataclass(frozen=True, slots=True)
class Pin:
    """One package exactly, as pip takes it. A member of the workspace is on no index: it is not given to pip."""

    text: str
    is_member: bool = False


def requirement_files(
    image: DockerImage, snapshot: SourceSnapshot, runtime: Sequence[str] = RUNTIME_REQUIREMENTS
) -> tuple[list[ContextFile], list[str]]:
    """Return files for `requirements/` in the context, and the names of those that pip is given."""
    files = [_text_file("runtime.txt", runtime)]
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
    start, included = _with_includes(str(file), snapshot.texts)
    files += [ContextFile.of_text(f"requirements/user/{path}", text) for path, text in included]
    return files, [*given, f"user/{start}"]


def runtime_requirements(graph: ChainGraph, spec: ChainletSpec) -> tuple[str, ...]:
    """Return what the runtime needs in the image of one chainlet, sorted."""
    calls_sync = any(not graph.chainlet(edge.callee).is_async for edge in graph.callees(spec.name))
    websocket = WEBSOCKET_REQUIREMENTS if spec.is_websocket else ()
    forwarding = FORWARDING_REQUIREMENTS if has_server(spec.truss_config) else ()
    bridge = BRIDGE_REQUIREMENTS if spec.is_async and calls_sync else ()
    return tuple(sorted([*RUNTIME_REQUIREMENTS, *websocket, *forwarding, *bridge]))


def _text_file(name: str, lines: Iterable[str]) -> ContextFile:
    return ContextFile.of_text(f"requirements/{name}", "".join(f"{line}\n" for line in lines))


def _with_includes(start: str, texts: Mapping[str, str]) -> tuple[str, list[tuple[str, str]]]:
    """A pip file's path, and the text of all files it is made of, relative to the directory that holds all."""
    first = posixpath.normpath(start)
    paths = included_paths(start, texts)
    root = posixpath.commonpath([posixpath.dirname(posixpath.normpath(path)) for path in paths | {start}])
    files = sorted((posixpath.relpath(path, root), texts[path]) for path in paths)
    return posixpath.relpath(first, root), files


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
    """The `[project] dependencies` of a pyproject. Raises ChainDefinitionError when they are not written there."""
    project = _toml(text, path).get("project", {})
    if "dependencies" in project.get("dynamic", []):
        raise _unreadable(path, "leaves its dependencies to its build: `dynamic` names them")
    if "dependencies" not in project:
        raise _unreadable(path, "has no `[project] dependencies`")
    dependencies = project["dependencies"]
    if not isinstance(dependencies, list):
        raise _unreadable(path, "has `[project] dependencies` that are no list")
    return tuple(str(item) for item in dependencies)


def required_python(text: str, path: str) -> str:
    """The `requires-python` of a pyproject.toml or uv.lock, "" where nothing is said."""
    match posixpath.basename(path):
        case "pyproject.toml":
            found = _toml(text, path).get("project", {}).get("requires-python", "")
        case "uv.lock":
            found = _toml(text, path).get("requires-python", "")
        case _:
            return ""
    return found if isinstance(found, str) else ""


def locked_requirements(text: str, path: str) -> tuple[str, ...]:
    """Pins of all packages that the project of a `uv.lock` needs, without extras and groups."""
    packages = _toml(text, path).get("package", [])
    by_name: dict[str, list[dict[str, Any]]] = {}
    for package in packages:
        by_name.setdefault(package["name"], []).append(package)
    roots = [package for package in packages if _is_local(package)]
    if not roots:
        raise _unreadable(path, "names no project of its own")
    return tuple(sorted(_pins(roots, by_name, path)))


def _is_local(package: Mapping[str, Any]) -> bool:
    return not _LOCAL.isdisjoint(package.get("source", {}))


def _pins(
    roots: list[dict[str, Any]], by_name: Mapping[str, list[dict[str, Any]]], path: str
) -> Iterator[str]:
    """Follow dependencies from the roots; each pin holds under the least conditions that lead to it.

    Conditions are sets of markers that must all hold, so that circles of packages come to an end.
    """
    reached: dict[Pin, list[Conditions]] = {}
    nowhere: Conditions = frozenset()
    waiting = [(dependency, nowhere) for root in roots for dependency in root.get("dependencies", [])]
    while waiting:
        dependency, conditions = waiting.pop()
        conditions |= frozenset(filter(None, [dependency.get("marker")]))
        for package in _locked_as(dependency, by_name):
            pin = _pin(package, dependency, path)
            if any(known <= conditions for known in reached.get(pin, [])):
                continue
            reached[pin] = [known for known in reached.get(pin, []) if not conditions <= known] + [conditions]
            waiting += [(needed, conditions) for needed in _needs(package, dependency)]
    for pin, alternatives in reached.items():
        if not pin.is_member:
            yield from (_under(pin.text, conditions) for conditions in alternatives)


def _locked_as(
    dependency: Mapping[str, Any], by_name: Mapping[str, list[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    """The package of a dependency; where a lock has several of one name, the dependency tells them apart."""
    for package in by_name.get(dependency["name"], []):
        if all(dependency.get(key, package.get(key)) == package.get(key) for key in ("version", "source")):
            yield package


def _needs(package: Mapping[str, Any], dependency: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from package.get("dependencies", [])
    for extra in dependency.get("extra", []):
        yield from package.get("optional-dependencies", {}).get(extra, [])


def _pin(package: Mapping[str, Any], dependency: Mapping[str, Any], path: str) -> Pin:
    extras = ",".join(dependency.get("extra", []))
    name = f"{package['name']}[{extras}]" if extras else str(package["name"])
    source = package.get("source", {})
    if _is_local(package):
        return Pin(name, is_member=True)
    if "path" in source:
        raise _unreadable(path, f"takes {name} from the file {source['path']}, which is not in the image")
    if "git" in source:
        return Pin(f"{name} @ git+{_git_reference(source['git'])}")
    if "url" in source:
        return Pin(f"{name} @ {source['url']}")
    return Pin(f"{name}=={package['version']}")


def _git_reference(url: str) -> str:
    """Turn `https://…?rev=main&subdirectory=x#<commit>` into pip's `https://…@<commit>#subdirectory=x`."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    revision = parts.fragment or next((query[key][0] for key in ("rev", "tag", "branch") if key in query), "")
    bare = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    subdirectory = "".join(f"#subdirectory={directory}" for directory in query.get("subdirectory", []))
    return f"{bare}@{revision}{subdirectory}" if revision else bare + subdirectory


def _under(pin: str, conditions: Conditions) -> str:
    match sorted(conditions):
        case []:
            return pin
        case [marker]:
            return f"{pin} ; {marker}"
        case markers:
            return f"{pin} ; {' and '.join(f'({marker})' for marker in markers)}"


def _toml(text: str, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(path, f"is no TOML: {error}") from error


def _unreadable(path: str, why: str) -> ChainDefinitionError:
    help_text = "give a pip requirements file, a pyproject.toml with `[project]`, or a uv.lock"
    return ChainDefinitionError([Problem("CH0504", f"the requirements file {why}", path, help=help_text)])
