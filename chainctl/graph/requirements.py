"""A chainlet's requirements and imports in; the imports that nothing will provide out."""

from __future__ import annotations

import functools
import importlib.metadata
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from chainctl.errors import Problem
from chainctl.graph.imports import Import
from chainctl.sdk.config import CustomImage, DockerImage, RemoteConfig

Modules = Callable[[], Mapping[str, list[str]]]

# Installed in every image, because the runtime needs them.
RUNTIME_MODULES = frozenset(
    ["chainctl", "truss", "truss_chains", "pydantic", "pydantic_core", "typing_extensions", "annotated_types",
     "typing_inspection", "uvicorn", "httptools", "uvloop", "click", "h11"]
)  # fmt: skip

# Import names whose distribution is called otherwise, where no installed metadata tells.
_DISTRIBUTIONS = {
    "PIL": "pillow", "attr": "attrs", "bs4": "beautifulsoup4", "cv2": "opencv-python",
    "dateutil": "python-dateutil", "dotenv": "python-dotenv", "fitz": "pymupdf", "git": "gitpython",
    "jwt": "pyjwt", "magic": "python-magic", "sklearn": "scikit-learn", "skimage": "scikit-image",
    "yaml": "pyyaml", "Crypto": "pycryptodome", "google.protobuf": "protobuf", "faiss": "faiss-cpu",
    "whisper": "openai-whisper", "serial": "pyserial", "OpenSSL": "pyopenssl",
}  # fmt: skip


def requirement_problems(
    name: str, config: RemoteConfig, imports: Iterable[Import], modules: Modules | None = None
) -> Iterator[Problem]:
    """Report module-level imports that a chainlet's image will not have.

    An error where nothing could provide the import, a warning where some requirement might.
    `modules` gives the distributions of an import name, by default as installed here.
    """
    image = config.docker_image
    if isinstance(image.base_image, CustomImage) or config.build_commands:
        return
    texts = list(requirement_texts(image))
    names = [requirement_name(text) for text in texts]
    given: set[str] = {canonicalize_name(n) for n in names if n}
    provided = _with_dependencies(given)
    for imported in _first_of_each(imports):
        root = imported.module.split(".")[0]
        if root in sys.stdlib_module_names or root in RUNTIME_MODULES:
            continue
        wanted = {canonicalize_name(d) for d in distributions_of(root, modules or _installed)}
        if wanted & provided:
            continue
        certain = None not in names and not _has_unknown(given)
        yield Problem(
            "CH0601",
            f"`{name}` imports `{root}` when its file is loaded, but none of its requirements"
            f" {'provides' if certain else 'is known to provide'} it",
            imported.path,
            imported.line,
            imported.column,
            note="every chainlet in a file loads the whole file, also in its own container",
            help=f'add "{sorted(wanted)[0]}" to its `pip_requirements`, or move the import into the'
            " chainlet that uses it",
            severity="error" if certain else "warning",
        )


def distributions_of(root: str, modules: Modules | None = None) -> list[str]:
    """Return the distributions that may give a top-level module: those installed here, and the usual one."""
    return [*(modules or _installed)().get(root, []), _DISTRIBUTIONS.get(root, root)]


def requirement_texts(image: DockerImage) -> Iterator[str]:
    """Yield all requirement lines of an image: its list, and those of a pip requirements file."""
    yield from image.pip_requirements
    for path in (image.requirements_file, image.pip_requirements_file):
        if path is not None and path.path.is_file():
            yield from _lines(path.path)


def invalid_requirements(name: str, config: RemoteConfig, place: Problem) -> Iterator[Problem]:
    """Report lines of `pip_requirements` that are no requirements."""
    for text in config.docker_image.pip_requirements:
        if not is_requirement(text):
            yield Problem(
                "CH0508",
                f"`{name}` asks for {text!r}, which is no pip requirement",
                place.path,
                place.line,
                place.column,
                place.end_column,
                help='write it as "package", "package==1.2" or "package @ https://…"',
            )


def is_requirement(text: str) -> bool:
    """Say whether pip would take a line."""
    return requirement_name(text) is not None or _is_pip_only(text)


def requirement_name(text: str) -> str | None:
    """Return the distribution that a requirement line names, None when it names none."""
    line = text.split(" #")[0].strip()
    egg = re.search(r"#egg=([A-Za-z0-9._-]+)", line)
    if egg:
        return egg[1]
    try:
        return Requirement(line.split(" --")[0]).name
    except InvalidRequirement:
        return None


def _is_pip_only(text: str) -> bool:
    """Whether pip takes a line that is no plain requirement: a URL, a path, an option."""
    return bool(re.match(r"^(-|git\+|hg\+|https?://|file:|\.{0,2}/)", text.strip()))


def _lines(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.name in ("pyproject.toml", "uv.lock"):
        yield from _toml_requirements(path.name, text)
        return
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith(("#", "--")):
            yield line


def _toml_requirements(name: str, text: str) -> Iterator[str]:
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    if name == "uv.lock":
        yield from (package["name"] for package in data.get("package", []))
    else:
        yield from data.get("project", {}).get("dependencies", [])


def _with_dependencies(given: set[str]) -> set[str]:
    """Add what the given distributions depend on, as far as they are installed here."""
    seen: set[str] = set()
    waiting = list(given)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        names = (requirement_name(text) for text in needs if "extra ==" not in text)
        waiting += [canonicalize_name(n) for n in names if n]
    return seen


def _has_unknown(given: set[str]) -> bool:
    """Whether some requirement is not installed here, so that what it brings along is unknown."""
    for name in given:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return True
    return False


@functools.cache
def _installed() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def _first_of_each(imports: Iterable[Import]) -> Iterator[Import]:
    seen: set[str] = set()
    for imported in imports:
        root = imported.module.split(".")[0]
        if imported.is_top_level and root not in seen:
            seen.add(root)
            yield imported
