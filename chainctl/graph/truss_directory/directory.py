"""A Truss directory in; what its config.yaml says and which files it has, or all that is wrong with it, out."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chainctl.errors import ChainDefinitionError, Problem
from chainctl.graph.brought import with_brought_by_server
from chainctl.graph.imports import Import, closure_of
from chainctl.graph.requirements import RUNTIME_MODULES, requirement_problems
from chainctl.graph.truss_directory.agreement import check_agreement, lines_of, place_of
from chainctl.graph.truss_directory.findings import CONFIG, MISSING, START, UNREADABLE, Findings
from chainctl.graph.truss_directory.keys import CONFIGURATION
from chainctl.graph.truss_directory.nodes import MOST_CHARACTERS, Table, tree_of
from chainctl.graph.truss_directory.remote import completed, is_directory, path_in, remote_config_of
from chainctl.graph.truss_directory.without_effect import without_effect
from chainctl.sdk.config import RemoteConfig

_LEFT_OUT = frozenset([
    "__pycache__", ".git", ".hg", ".svn", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache",
    ".ipynb_checkpoints", ".DS_Store",
])  # fmt: skip
_ENGINES = ("trt_llm", "bis_llm")
_MOST_BYTES = 4 * MOST_CHARACTERS


@dataclass(frozen=True, slots=True)
class TrussDirectory:
    """A directory with `config.yaml` and a model.

    `config` is the JSON form of the configuration with all defaults; of secrets it has only the names.
    `files` are those that are copied as code. `lines` has the line of each key in the configuration, those in
    a section as `section.key`.
    """

    root: Path
    name: str
    module: str
    class_name: str
    model_file: Path
    remote_config: RemoteConfig
    config: Mapping[str, Any]
    files: tuple[Path, ...]
    lines: Mapping[str, int]
    warnings: tuple[Problem, ...] = ()

    @property
    def config_file(self) -> Path:
        return self.root / CONFIG


def read_directory(root: Path) -> TrussDirectory:
    """Read a Truss directory. Raises ChainDefinitionError with all problems of its configuration."""
    root = root.resolve()
    found = Findings(str(root / CONFIG))
    tree = tree_of(_text(root, found), found)
    config = CONFIGURATION(tree, "", found)
    check_agreement(tree, config, found)
    if (root / CONFIG).is_file():
        _check_files(root, tree, config, found)
    if found.has_errors:
        raise ChainDefinitionError(found.problems)
    directory = _described(root, tree, config)
    problems = [*found.problems, *without_effect(tree, config, found.path), *directory.warnings]
    if any(problem.is_error for problem in problems):
        raise ChainDefinitionError(problems)
    return replace(directory, warnings=tuple(problems))


def _text(root: Path, found: Findings) -> str:
    """The text of the configuration, "" where there is a problem with it."""
    path, nowhere = root / CONFIG, replace(START, line=0, column=0)
    if not path.is_file():
        is_misnamed = (root / "config.yml").is_file()
        advice = f"rename config.yml to {CONFIG}" if is_misnamed else f"an empty {CONFIG} means all defaults"
        found.add(nowhere, f"there is no {CONFIG} in {root}", help=advice, code=MISSING)
        return ""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        message = f"{CONFIG} cannot be read: {error.strerror}"
        found.add(nowhere, message, help="make it a file that you may read", code=UNREADABLE)
        return ""
    return _decoded(content, found)


def _decoded(content: bytes, found: Findings) -> str:
    """A text, cut off where it is too long in any case."""
    try:
        return content.decode("utf-8-sig", "ignore" if len(content) > _MOST_BYTES else "strict")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        found.add(
            replace(START, line=line), f"{CONFIG} is not in UTF-8", help="save it in UTF-8", code=UNREADABLE
        )
        return ""


# --- files -----------------------------------------------------------------------------------


def _check_files(root: Path, tree: Table, config: Mapping[str, Any], found: Findings) -> None:
    """Note files and directories that the configuration names, and that are not there."""
    for index, name in enumerate(config["external_package_dirs"]):
        if name and not is_directory(path_in(root, name)):
            place = place_of(tree, "external_package_dirs", index)
            message = f"`external_package_dirs[{index}]` is {name!r}, and there is no such directory"
            found.add(place, message, help=_RELATIVE, code=MISSING)
    file = config["requirements_file"]
    if file and not os.path.isfile(path_in(root, file)):  # noqa: PTH113  # unlike pathlib's, it takes any text
        message = f"`requirements_file` is {file!r}, and there is no such file"
        found.add(place_of(tree, "requirements_file"), message, help=_RELATIVE, code=MISSING)
    _check_model(root, tree, config, found)


_RELATIVE = f"paths are relative to the directory of {CONFIG}"


def _check_model(root: Path, tree: Table, config: Mapping[str, Any], found: Findings) -> None:
    module, file = config["model_module_dir"], config["model_class_filename"]
    if config["docker_server"] is not None or not module or not file:
        return
    top = module.split("/")[0]
    if top in sys.stdlib_module_names or top in RUNTIME_MODULES:
        found.add(
            place_of(tree, "model_module_dir"),
            f"`model_module_dir` hides the module `{top}`, which Python or the runtime needs",
            help="call the directory `model`",
        )
    if (root / module / file).is_file():
        return
    engine = next((name for name in _ENGINES if config[name]), None)
    if engine is not None:
        found.add(
            place_of(tree, engine),
            f"`{engine}` describes an engine: only the platform that it was written for can build and serve it",
            help="serve the model with an inference server of your own in `docker_server`, or in a"
            f" {module}/{file} of your own",
            code="CH1201",
        )
        return
    found.add(
        place_of(tree, "model_class_filename"),
        f"there is no {module}/{file} in {root}",
        help=f"write the class `{config['model_class_name']}` there, with `load` and `predict`, or name another file"
        " in `model_module_dir` and `model_class_filename`",
        code=MISSING,
    )


# --- what it describes -----------------------------------------------------------------------


def _described(root: Path, tree: Table, config: dict[str, Any]) -> TrussDirectory:
    has_transport = place_of(tree, "runtime", "transport") != place_of(tree, "runtime")
    config = completed(config, has_transport=has_transport)
    is_websocket = config["runtime"]["is_websocket_endpoint"]
    remote = remote_config_of(root, config, has_transport=has_transport or is_websocket)
    stem = config["model_class_filename"].removesuffix(".py")
    directory = TrussDirectory(
        root=root,
        name=_chain_name(config["model_name"] or root.name),
        module=f"{config['model_module_dir']}/{stem}".replace("/", "."),
        class_name=config["model_class_name"],
        model_file=root / config["model_module_dir"] / config["model_class_filename"],
        remote_config=remote,
        config=config,
        files=tuple(_code_files(root / config["model_module_dir"])),
        lines=lines_of(tree),
    )
    return _with_requirements(directory)


def _chain_name(written: str) -> str:
    """A name for a chain: letters and digits of any language, `_` and `-`."""
    return re.sub(r"[^\w-]+", "-", written).strip("-_") or "model"


def _code_files(directory: Path) -> Iterator[Path]:
    """Yield all files below a directory, but for what tools leave there."""
    for place, directories, names in os.walk(directory):
        directories[:] = sorted(set(directories) - _LEFT_OUT)
        for name in sorted(set(names) - _LEFT_OUT):
            path = Path(place, name)
            if not name.endswith((".pyc", ".pyo")) and path.is_file():
                yield path


def _with_requirements(directory: TrussDirectory) -> TrussDirectory:
    """Add what a Truss server brings along, and warn of imports that nothing provides."""
    config = directory.remote_config
    imports = []
    if directory.config["docker_server"] is None:
        packages = [path.path for path in config.docker_image.external_package_dirs or ()]
        imports = closure_of(directory.model_file, [directory.root, *packages]).external
    config = with_brought_by_server(config, imports)
    top = directory.module.partition(".")[0]
    own = [one for one in imports if one.module.partition(".")[0] == top]
    absent = tuple(_absent(one) for one in own if one.is_top_level)
    missing = requirement_problems(directory.class_name, config, (one for one in imports if one not in own))
    told = absent + tuple(replace(p, note=_LOADED, help=_in_requirements(p.help)) for p in missing)
    return replace(directory, remote_config=config, warnings=told)


def _absent(imported: Import) -> Problem:
    """A module of the directory's own that is not there."""
    file = f"{imported.module.replace('.', '/')}.py"
    return Problem(
        MISSING,
        f"`{imported.module}` is imported when the file is loaded, and there is no {file}",
        imported.path,
        imported.line,
        imported.column,
        help="write the file, or correct the import",
    )


_LOADED = "a service loads the file before it makes the model"


def _in_requirements(help: str) -> str:
    """The advice for a chainlet in the words of a configuration."""
    package = help.split('"')[1]
    return f"add `{package}` to the `requirements` in {CONFIG}, or move the import into `load`"
