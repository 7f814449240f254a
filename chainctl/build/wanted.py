"""A ChainGraph, a SourceSnapshot and settings in; the environments that its chainlets ask for, out. Pure."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from chainctl.build.instructions import python_of
from chainctl.build.lock import BaseFacts
from chainctl.build.requirement_lines import (
    RUNTIME,
    Asked,
    Lines,
    credentials_problem,
    has_credentials,
    joined,
    one_requirement,
    read_lines,
    read_list,
)
from chainctl.build.requirements import (
    locked_requirements,
    pyproject_requirements,
    required_python,
    runtime_requirements,
)
from chainctl.build.settings import BuildSettings
from chainctl.build.snapshot import SourceSnapshot
from chainctl.errors import ChainDefinitionError, Problem
from chainctl.graph.graph import ChainGraph, ChainletSpec
from chainctl.sdk.config import BasetenImage, DockerImage

OLDEST_PYTHON = (3, 10)
_PATCHES = 50  # more than any Python had
_DIGEST_VERSION = 1
_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
_OLDEST_LIBC = "2_28"
_METADATA = ("pyproject.toml", "setup.py", "setup.cfg")
_TORCH_INDEX = "download.pytorch.org"


@dataclass(frozen=True, slots=True)
class LocalPackage:
    """A package that is on this machine only: its name, its absolute place, a digest of what it declares."""

    name: str
    place: str
    digest: str
    is_archive: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What chainlets that share an environment ask for.

    `target` is the platform in uv's words. `indexes` are the extra ones in their order; `index_url` is ""
    for the public one. `torch_backend` is "cpu" where builds for the CPU are to be chosen.
    """

    chainlets: tuple[str, ...]
    asked: tuple[Asked, ...]
    python: str
    platform: str
    target: str
    index_url: str = ""
    indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    has_index: bool = True
    prereleases: bool = False
    torch_backend: str = ""
    local: tuple[LocalPackage, ...] = ()

    @property
    def digest(self) -> str:
        """Hex sha256 of all that decides what is installed; where a line stands is not in it."""
        value = [
            _DIGEST_VERSION, self.python, self.platform, self.target, self.index_url, list(self.indexes),
            list(self.find_links), self.has_index, self.prereleases, self.torch_backend,
            sorted({(asked.is_constraint, self._portable(asked.text)) for asked in self.asked}),
            sorted((package.name, package.digest) for package in self.local),
            *([hashes] if (hashes := sorted((a.name, a.hashes) for a in self.asked if a.hashes)) else []),
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(value).encode()).hexdigest()

    def _portable(self, text: str) -> str:
        for package in self.local:
            text = text.replace(f"file://{package.place}", f"./local/{package.name}")
        return text


Facts = Mapping[str, BaseFacts]


def custom_bases(graph: ChainGraph, settings: BuildSettings) -> dict[str, set[str]]:
    """Return the base images of the user's own, each with the interpreters that chainlets use of it."""
    found: dict[str, set[str]] = {}
    for spec in graph.chainlets:
        image = spec.remote_config.docker_image
        if not isinstance(image.base_image, BasetenImage):
            found.setdefault(settings.image_for(image.base_image), set()).add(python_of(image))
    return found


def base_images(graph: ChainGraph, settings: BuildSettings) -> list[str]:
    """Return all base images of a chain, sorted."""
    images = {settings.image_for(spec.remote_config.docker_image.base_image) for spec in graph.chainlets}
    return sorted(images - {"scratch"})


def wanted_environments(
    graph: ChainGraph, snapshot: SourceSnapshot, settings: BuildSettings, facts: Facts
) -> tuple[Wanted, ...]:
    """Group chainlets by what they ask for, in the order of their names.

    `facts` has all custom bases. Raises ChainDefinitionError with all lines that cannot be locked.
    """
    problems: list[Problem] = [*_settings_problems(settings)]
    groups: dict[str, Wanted] = {}
    for spec in graph.chainlets:
        try:
            wanted = _wanted(graph, spec, snapshot, settings, facts)
        except ChainDefinitionError as error:
            problems += [problem for problem in error.problems if problem not in problems]
            continue
        known = groups.get(wanted.digest)
        groups[wanted.digest] = replace(known, chainlets=(*known.chainlets, spec.name)) if known else wanted
    if problems:
        raise ChainDefinitionError(problems)
    return tuple(groups.values())


def local_places(spec: ChainletSpec, texts: Mapping[str, str]) -> list[str]:
    """Return the absolute places of packages on this machine that a chainlet asks for, sorted."""
    others = (one for one in _from_toml(spec.remote_config.docker_image, texts) if isinstance(one, Asked))
    asked = (*_pip_lines(spec, texts).asked, *others)
    return sorted({place for one in asked if (place := _place_of(one.text))})


def list_line(text: str, source: str, start: int) -> int:
    """Return the line of a chain file in which a requirement of a list stands, at best after `start`."""
    lines = source.splitlines()
    hits = [n for n, line in enumerate(lines, 1) if f'"{text}"' in line or f"'{text}'" in line]
    return next((n for n in hits if n >= start), hits[0] if hits else start)


def _settings_problems(settings: BuildSettings) -> Iterator[Problem]:
    if any(has_credentials(url) for url in (settings.index_url, *settings.extra_index_urls)):
        yield replace(credentials_problem(""), message="an index URL in the settings carries credentials")


def _wanted(
    graph: ChainGraph, spec: ChainletSpec, snapshot: SourceSnapshot, settings: BuildSettings, facts: Facts
) -> Wanted:
    config = spec.remote_config
    image = config.docker_image
    lines = _pip_lines(spec, snapshot.texts)
    others = _from_toml(image, snapshot.texts)
    problems = [*lines.problems, *(p for p in others if isinstance(p, Problem))]
    asked = [*lines.asked, *(a for a in others if isinstance(a, Asked))]
    local = [_local_package(one, place, snapshot) for one in asked if (place := _place_of(one.text))]
    problems += [package for package in local if isinstance(package, Problem)]
    python, libc = _python(spec, settings, facts)
    if _version(python) < OLDEST_PYTHON:
        problems.append(old_python(spec, settings.image_for(image.base_image), python))
    problems += _other_python(spec, python, snapshot.texts)
    if problems:
        raise ChainDefinitionError(problems)
    packages = tuple(sorted((p for p in local if isinstance(p, LocalPackage)), key=lambda p: p.name))
    own = [Asked(text, RUNTIME) for text in runtime_requirements(graph, spec)]
    extra = (*settings.extra_index_urls, *lines.extra_index_urls)
    return Wanted(
        chainlets=(spec.name,),
        asked=tuple(_named(one, packages) for one in (*asked, *own)),
        python=python,
        platform=settings.platform,
        target=uv_target(settings.platform, libc),
        index_url=lines.index_url or settings.index_url,
        indexes=tuple(dict.fromkeys(extra)),
        find_links=lines.find_links,
        has_index=lines.has_index,
        prereleases=lines.prereleases,
        torch_backend=torch_backend(config.compute.gpu, asked, (*extra, *lines.find_links), settings),
        local=packages,
    )


def torch_backend(
    gpu: str | None, asked: Sequence[Asked], places: Sequence[str], settings: BuildSettings
) -> str:
    """Decide between builds of torch: "cpu" where no GPU is asked for and the user did not choose."""
    has_chosen = any(_TORCH_INDEX in place for place in places)
    has_chosen |= any(re.match(r"torch\w*\s*==\s*[^+;]+\+", one.text) for one in asked)
    return "" if gpu or has_chosen or not settings.cpu_wheels else "cpu"


def uv_target(platform: str, libc: str) -> str:
    """Name a platform as uv does; without a known libc wheels are chosen that run on old ones too."""
    machine = _MACHINES.get(platform, "x86_64")
    kind, _, version = libc.partition(" ")
    if kind == "musl":
        return f"{machine}-unknown-linux-musl"
    tag = re.match(r"2\.(\d+)", version)
    return (
        f"{machine}-manylinux_2_{min(max(int(tag[1]), 28), 40)}"
        if tag
        else f"{machine}-manylinux_{_OLDEST_LIBC}"
    )


def old_python(spec: ChainletSpec, image: str, python: str) -> Problem:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Problem(
        "CH0811",
        f"`{spec.name}`: the base image {image} has Python {python}, and the runtime needs {oldest} or newer",
        *spec.place_of("python_version"),
        help="name a newer one in `docker_image.base_image`, or another interpreter of the image in"
        " `python_executable_path`",
    )


def _other_python(spec: ChainletSpec, python: str, texts: Mapping[str, str]) -> Iterator[Problem]:
    """A pyproject.toml or uv.lock that is for other Pythons than the image has: its pins are none for it."""
    image = spec.remote_config.docker_image
    file = image.requirements_file or image.pip_requirements_file
    wanted = required_python(texts[str(file)], str(file)) if file else ""
    minor = ".".join(python.split(".")[:2])
    try:
        allowed = SpecifierSet(wanted)
    except InvalidSpecifier:
        return
    if not any(allowed.contains(f"{minor}.{patch}") for patch in range(_PATCHES)):
        yield Problem(
            "CH0504",
            f"the requirements file is for Python {wanted}, and the image of `{spec.name}` has {minor}",
            str(file),
            next(
                (n for n, line in enumerate(texts[str(file)].splitlines(), 1) if "requires-python" in line), 0
            ),
            help="name a base image with such a Python, as in `base_image=chains.BasetenImage.PY312`, or loosen"
            " `requires-python`",
        )


def _python(spec: ChainletSpec, settings: BuildSettings, facts: Facts) -> tuple[str, str]:
    image = spec.remote_config.docker_image
    if isinstance(image.base_image, BasetenImage):
        return image.base_image.python_version, ""
    known = facts[settings.image_for(image.base_image)]
    return known.pythons[python_of(image)], known.libc


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


def _pip_lines(spec: ChainletSpec, texts: Mapping[str, str]) -> Lines:
    """What stands in a pip requirements file, and in the list of the chain file."""
    image = spec.remote_config.docker_image
    listed = read_list(image.pip_requirements, *spec.place_of("requirements"), texts)
    file = image.requirements_file or image.pip_requirements_file
    if file is None or file.path.name in ("pyproject.toml", "uv.lock"):
        return listed
    return joined(read_lines(str(file), texts), listed)


def _from_toml(image: DockerImage, texts: Mapping[str, str]) -> list[Asked | Problem]:
    file = image.requirements_file or image.pip_requirements_file
    readers: dict[str, Callable[[str, str], tuple[str, ...]]] = {
        "pyproject.toml": pyproject_requirements,
        "uv.lock": locked_requirements,
    }
    reader = readers.get(file.path.name) if file else None
    if file is None or reader is None:
        return []
    path = str(file)
    text = texts[path]
    return [_with_source(line, path, text, _toml_line(line, text)) for line in reader(text, path)]


def _with_source(requirement: str, path: str, text: str, line: int) -> Asked | Problem:
    """A dependency of a pyproject.toml, from where `[tool.uv.sources]` says that it comes."""
    one = one_requirement(requirement, path, line)
    if isinstance(one, Problem) or posixpath.basename(path) != "pyproject.toml":
        return one
    tool = tomllib.loads(text).get("tool", {})
    sources = {_canonical(name): source for name, source in tool.get("uv", {}).get("sources", {}).items()}
    source = sources.get(one.name)
    if source is None:
        return one
    name, _, marker = requirement.partition(";")
    head = re.split(r"[<>=!~\s]", name.strip())[0]
    condition = f" ; {marker.strip()}" if marker else ""
    match source:
        case {"git": str(url)}:
            found = next((source[key] for key in ("rev", "tag", "branch") if key in source), "")
            inside = f"#subdirectory={source['subdirectory']}" if "subdirectory" in source else ""
            return one_requirement(
                f"{head} @ git+{url}{'@' if found else ''}{found}{inside}{condition}", path, line
            )
        case {"path": str(place)}:
            return one_requirement(f"{head} @ file:{place}{condition}", path, line)
        case {"url": str(url)}:
            return one_requirement(f"{head} @ {url}{condition}", path, line)
    return Problem(
        "CH0810",
        f"the source of {one.name} in `[tool.uv.sources]` is none that can be locked",
        path,
        line,
        help="give `git`, `url` or `path`; an index goes into the setting `extra_index_urls`",
    )


def _toml_line(requirement: str, text: str) -> int:
    """The line that a requirement of a TOML file stands in: as it is, or the entry of its package."""
    name = re.split(r"[\s\[=<>~!@;]", requirement)[0]
    lines = text.splitlines()
    for words in ((f'"{requirement}"', f"'{requirement}'"), (f'name = "{name}"',)):
        for number, line in enumerate(lines, 1):
            if any(word in line for word in words):
                return number
    return 0


def _place_of(text: str) -> str:
    found = re.search(r"(?:^|@\s*)file://(/[^;\s]*(?: [^;\s]+)*)", text)
    return unquote(found[1]).rstrip("/") if found else ""


def _local_package(one: Asked, place: str, snapshot: SourceSnapshot) -> LocalPackage | Problem:
    if place in snapshot.files:
        name = re.split(r"-\d", posixpath.basename(place))[0]
        return LocalPackage(_canonical(name), place, snapshot.files[place].sha256, is_archive=True)
    files = snapshot.trees.get(place, {})
    declared = {name: files[name].sha256 for name in _METADATA if name in files}
    name = one.name or _project_name(snapshot.texts.get(f"{place}/pyproject.toml", ""))
    if not declared or not name:
        is_there = place in snapshot.trees
        why = "is no Python project: it has no pyproject.toml with a name" if is_there else "does not exist"
        return Problem("CH0810", f"the local package {posixpath.basename(place)} {why}", one.path, one.line,
                       help="correct the path, or the project there")  # fmt: skip
    digest = hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()
    return LocalPackage(_canonical(name), place, digest)


def _project_name(text: str) -> str:
    try:
        name = tomllib.loads(text).get("project", {}).get("name", "")
    except tomllib.TOMLDecodeError:
        return ""
    return str(name)


def _named(one: Asked, packages: Sequence[LocalPackage]) -> Asked:
    """A requirement that is only a place, with the name of its package before it."""
    for package in packages:
        if _place_of(one.text) == package.place and not one.name:
            return replace(one, text=f"{package.name} @ file://{package.place}")
    return one


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
