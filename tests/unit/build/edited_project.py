"""A project of six chainlets that is edited at random, and a naive model of what its images are made of.

The model knows what it wrote: who imports whom, which texts name files, what each chainlet asks for. It
reads no syntax tree and no build context, so that it can judge those who do.
"""

from __future__ import annotations

import posixpath
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Key = tuple[str, str]
PEM = "-----BEGIN CERTIFICATE-----\n"
CHAINLETS = {
    "Entry": "chain.py", "C1": "c1.py", "C2": "c2.py", "C3": "c3.py", "C4": "c4.py", "C5": "models/c5.py",
}  # fmt: skip
CALLEES = tuple(name for name in CHAINLETS if name != "Entry")
DATA_DIRS = ("data_a", "data_b")
# What the runtime asks for in every image, and besides that where async code calls sync chainlets.
RUNTIME = ("httptools", "msgpack", "prometheus-client", "pydantic", "uvicorn", "uvloop")
LAST_RESORT = {"apt list": "apt package", "requirements file": "requirement"}


@dataclass
class Import:
    """One import of a module of the project: its file, the form of the statement, whether in a function."""

    target: str
    form: int
    is_lazy: bool


@dataclass
class Module:
    """One Python file: what it imports, the texts in it that name files, a number that is its content."""

    imports: list[Import] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    value: int = 0
    comment: int = 0
    is_executable: bool = False


@dataclass
class Wish:
    """What a chainlet asks for."""

    python: str = "py311"
    pip: dict[str, str] = field(default_factory=dict)
    apt: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    data: str = ""
    has_packages: bool = False
    has_requirements_file: bool = False
    has_debug_logs: bool = False
    memory: int = 1
    secrets: int = 0
    is_async: bool = False


@dataclass
class Plain:
    """A file that is no module."""

    text: str
    is_executable: bool = False


class Project:
    """The state of the project, how it looks on disk, and what each image must consist of."""

    def __init__(self, root: Path, rng: random.Random) -> None:
        self.root = root
        self.rng = rng
        self.modules = {path: Module() for path in CHAINLETS.values()}
        self.modules |= {f"h{n}.py": Module() for n in range(6)}
        self.modules |= {path: Module() for path in ("models/__init__.py", "models/words.py", "ext/e0.py")}
        self.wishes = {name: Wish() for name in CHAINLETS}
        self.plain = {f"{d}/{n}.bin": Plain(f"{d}{n}") for d in DATA_DIRS for n in range(2)}
        self.plain |= {f"prompts/p{n}.txt": Plain(f"prompt {n}") for n in range(3)}
        self.plain |= {"assets/a.json": Plain("1"), "assets/deep/b.json": Plain("2"), "notes.md": Plain("")}
        self.plain |= {"models/labels.json": Plain("[]"), "ext/table.csv": Plain("1,2")}
        self.pins = {"reqs.txt": {"numpy": "1.0"}, "base.txt": {"idna": "3.0"}}
        self.pin_comments = {"reqs.txt": 0, "base.txt": 0}
        self.ignored: set[str] = set()
        self.certificates = [f"{PEM}one"]
        self.mirrors = {"3.11": "mirror/python:3.11", "3.12": "mirror/python:3.12"}
        self.runtime = 0
        self._number = 100
        self._on_disk: dict[str, tuple[str, bool]] = {}
        self.modules["h0.py"].imports = [Import("h3.py", 1, is_lazy=False)]
        self.modules["c1.py"].imports = [Import("h0.py", 0, is_lazy=False)]
        self.modules["c2.py"].imports = [Import("h0.py", 1, is_lazy=True), Import("h1.py", 0, is_lazy=False)]
        self.modules["c3.py"].names = ["prompts/p0.txt", "assets"]
        self.modules["models/c5.py"].imports = [Import("models/words.py", 2, is_lazy=False)]
        self.wishes["C4"] = Wish(data="data_a", pip={"numpy": "2.0"}, has_packages=True)
        self.modules["c4.py"].imports = [Import("ext/e0.py", 0, is_lazy=True)]
        self.write()

    # --- on disk -------------------------------------------------------------------------------

    def write(self) -> None:
        """Bring the disk to what the project is; only what differs is touched."""
        wanted = {path: (file.text, file.is_executable) for path, file in self.plain.items()}
        wanted |= {path: (self._source(path), m.is_executable) for path, m in self.modules.items()}
        wanted |= {path: (self.pins_text(path), False) for path in self.pins}
        wanted |= {f"ca/{n}.pem": (text, False) for n, text in enumerate(self.certificates)}
        wanted[".chainctlignore"] = ("".join(f"/{path}\n" for path in sorted(self.ignored)), False)
        for path in self._on_disk.keys() - wanted.keys():
            (self.root / path).unlink()
        for path, (text, is_executable) in wanted.items():
            if self._on_disk.get(path) != (text, is_executable):
                place = self.root / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text, encoding="utf-8")
                place.chmod(0o755 if is_executable else 0o644)
        self._on_disk = wanted

    def line(self, path: str, number: int) -> str:
        """One line of a file, counted from 1."""
        return self._on_disk[path][0].splitlines()[number - 1]

    def _source(self, path: str) -> str:
        module = self.modules[path]
        name = next((name for name, file in CHAINLETS.items() if file == path), "")
        lines = ["import chainctl as chains"] if name else []
        if name == "Entry":
            lines += [
                f"from {CHAINLETS[n].removesuffix('.py').replace('/', '.')} import {n}" for n in CALLEES
            ]
        lines += [_statement(path, i) for i in module.imports if not i.is_lazy]
        lines += [
            f"def lazy_{n}():\n    {_statement(path, i)}" for n, i in enumerate(module.imports) if i.is_lazy
        ]
        lines += [f"TEXTS = {module.names!r}", f"value = {module.value}", f"# comment {module.comment}"]
        return "\n".join([*lines, *(self._class(name) if name else [])]) + "\n"

    def _class(self, name: str) -> Iterator[str]:
        wish = self.wishes[name]
        if name == "Entry":
            yield "@chains.mark_entrypoint"
        yield f"class {name}(chains.ChainletBase):"
        yield f"    remote_config = chains.RemoteConfig({', '.join(_arguments(wish, name))})"
        if name == "Entry":
            taken = ", ".join(f"{n.lower()}: {n} = chains.depends({n})" for n in CALLEES)
            yield f"    def __init__(self, {taken}) -> None:\n        pass"
        yield f"    {'async ' if self.is_async(name) else ''}def run_remote(self, text: str) -> str:"
        yield "        return text"

    def pins_text(self, path: str) -> str:
        """The text of a requirements file."""
        include = ["-r base.txt"] if path == "reqs.txt" else []
        pins = [f"{name}=={version}" for name, version in self.pins[path].items()]
        return "\n".join([*include, *pins, f"# comment {self.pin_comments[path]}"]) + "\n"

    # --- what the graph is told -----------------------------------------------------------------

    def is_async(self, name: str) -> bool:
        return name == "Entry" or self.wishes[name].is_async

    def config(self, name: str) -> dict[str, Any]:
        """The JSON form of what a chainlet asks for."""
        wish, root = self.wishes[name], self.root
        return {
            "docker_image": {
                "base_image": wish.python,
                "pip_requirements": [f"{package}=={version}" for package, version in wish.pip.items()],
                "apt_requirements": wish.apt,
                "data_dir": f"{root}/{wish.data}" if wish.data else None,
                "external_package_dirs": [f"{root}/ext"] if wish.has_packages else None,
                "requirements_file": f"{root}/reqs.txt" if wish.has_requirements_file else None,
            },
            "build_commands": wish.commands,
            "compute": {"memory": f"{wish.memory}Gi"},
            "assets": {"secret_keys": [f"S{n}" for n in range(wish.secrets)]},
            "options": {"env_variables": wish.env, "enable_debug_logs": wish.has_debug_logs},
        }

    # --- what the images must consist of ---------------------------------------------------------

    def made_of(self, name: str) -> dict[Key, object]:
        """Everything in one image by kind and name: two images are equal when these are."""
        wish = self.wishes[name]
        parts: dict[Key, object] = {("file", path): self._content(path) for path in self.shipped(name)}
        parts |= self._tree("data", wish.data)
        parts |= self._tree("package directory", "ext" if wish.has_packages else "")
        parts |= {("environment variable", key): value for key, value in wish.env.items()}
        parts |= {("apt package", word): word for word in wish.apt}
        parts |= {("build command", str(n)): text for n, text in enumerate(wish.commands, 1)}
        parts |= {("certificate", f"{n:02}.crt"): text for n, text in enumerate(self.certificates)}
        parts |= self._requirements(name)
        parts["apt list", "apt"] = tuple(wish.apt)
        parts["option", "enable_debug_logs"] = wish.has_debug_logs
        parts["base image", "base"] = self.mirrors[f"3.{wish.python.removeprefix('py3')}"]
        parts["chainctl", "chainctl"] = self.runtime
        return parts

    def shipped(self, name: str) -> set[str]:
        """The paths that a chainlet's own file needs, directly or through others, unless they are ignored."""
        found: set[str] = set()
        waiting = [CHAINLETS[name]]
        while waiting:
            path = waiting.pop()
            if path not in found:
                found.add(path)
                waiting += self._asked_for_by(path, has_packages=self.wishes[name].has_packages)
        return {path for path in found if path == "chain.py" or path not in self.ignored}

    def _asked_for_by(self, path: str, *, has_packages: bool) -> Iterator[str]:
        directory = posixpath.dirname(path)
        if directory == "models" and path in self.modules:
            yield "models/__init__.py"
        if path == "models/__init__.py":
            yield from (p for p in self.plain if posixpath.dirname(p) == "models")
        if path == "chain.py":
            yield from CHAINLETS.values()
        module = self.modules.get(path, Module())
        for imported in module.imports:
            if has_packages or not imported.target.startswith("ext/"):
                yield imported.target
        for text in module.names:
            yield from (p for p in self.plain if not directory and (p == text or p.startswith(f"{text}/")))

    def _content(self, path: str) -> tuple[str, bool]:
        if path in self.plain:
            return self.plain[path].text, self.plain[path].is_executable
        return self._source(path), self.modules[path].is_executable

    def _tree(self, kind: str, directory: str) -> dict[Key, object]:
        paths = [p for p in (*self.plain, *self.modules) if directory and p.startswith(f"{directory}/")]
        return {
            (kind, p.removeprefix(f"{directory}/")): self._content(p) for p in paths if p not in self.ignored
        }

    def _requirements(self, name: str) -> dict[Key, object]:
        wish = self.wishes[name]
        needs_bridge = name == "Entry" and not all(self.is_async(n) for n in CALLEES)
        own = [*RUNTIME, *(["greenlet"] if needs_bridge else [])]
        asked = [("runtime.txt", package, "") for package in own]
        asked += [("pip_requirements.txt", package, version) for package, version in wish.pip.items()]
        files: dict[Key, object] = {("requirements file", "runtime.txt"): tuple(own)}
        if wish.pip:
            files["requirements file", "pip_requirements.txt"] = tuple(wish.pip.items())
        if wish.has_requirements_file:
            for path, pins in self.pins.items():
                files["requirements file", f"user/{path}"] = self.pins_text(path)
                asked += [(f"user/{path}", package, version) for package, version in pins.items()]
        packages = {package for _, package, _ in asked}
        return files | {("requirement", p): sorted(a for a in asked if a[1] == p) for p in packages}

    # --- edits -----------------------------------------------------------------------------------

    def edit(self) -> str:
        """Change one thing at random, on disk as well. Returns what it was."""
        chosen = self.rng.choice(_EDITS)
        chosen(self)
        self.write()
        return chosen.__name__

    def number(self) -> int:
        self._number += 1
        return self._number

    def a_module(self) -> Module:
        return self.modules[self.rng.choice(sorted(self.modules))]

    def a_wish(self) -> Wish:
        return self.wishes[self.rng.choice(sorted(self.wishes))]

    def helpers(self) -> list[str]:
        """Modules that others may import: no chainlet's own, no package's."""
        return [p for p in self.modules if p not in CHAINLETS.values() and not p.endswith("__init__.py")]


def expected_differences(before: dict[Key, object], after: dict[Key, object]) -> set[Key]:
    """The keys that differ. A text tells something only where no part of it does."""
    keys = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    kinds = {kind for kind, _ in keys}
    return {key for key in keys if LAST_RESORT.get(key[0]) not in kinds}


def _statement(path: str, imported: Import) -> str:
    stem = imported.target.removesuffix(".py").removeprefix("ext/")
    directory, name = posixpath.split(stem)
    dotted = stem.replace("/", ".")
    if imported.form == 2 and directory:
        return f"from {directory} import {name}"
    if imported.form == 3 and directory and posixpath.dirname(path) == directory:
        return f"from .{name} import value"
    return f"import {dotted}" if imported.form == 0 else f"from {dotted} import value"


def _arguments(wish: Wish, name: str) -> Iterator[str]:
    def here(directory: str) -> str:
        return f"chains.make_abs_path_here({('../' if name == 'C5' else '') + directory!r})"

    image = [
        f"base_image=chains.BasetenImage.{wish.python.upper()}",
        f"pip_requirements={[f'{package}=={version}' for package, version in wish.pip.items()]!r}",
        f"apt_requirements={wish.apt!r}",
        f"data_dir={here(wish.data) if wish.data else None}",
        f"external_package_dirs={'[' + here('ext') + ']' if wish.has_packages else None}",
        f"requirements_file={here('reqs.txt') if wish.has_requirements_file else None}",
    ]
    options = [f"env_variables={wish.env!r}", f"enable_debug_logs={wish.has_debug_logs}"]
    yield f"docker_image=chains.DockerImage({', '.join(image)})"
    yield f"build_commands={wish.commands!r}"
    yield f"compute=chains.Compute(memory='{wish.memory}Gi')"
    yield f"assets=chains.Assets(secret_keys={[f'S{n}' for n in range(wish.secrets)]!r})"
    yield f"options=chains.ChainletOptions({', '.join(options)})"


# --- the edits themselves: each changes the state only ---------------------------------------------


def edit_code(project: Project) -> None:
    project.a_module().value = project.number()


def edit_comment(project: Project) -> None:
    project.a_module().comment = project.number()


def add_import(project: Project) -> None:
    """Of a helper that has a higher number, at module level or not; of any other, in a function."""
    path = project.rng.choice(sorted(project.modules))
    target = project.rng.choice(project.helpers())
    imports = project.modules[path].imports
    if target != path and target not in [i.target for i in imports] and len(imports) < 5:
        is_safe = path in CHAINLETS.values() or (path[0] == target[0] == "h" and _rank(path) < _rank(target))
        is_lazy = not is_safe or target.startswith("ext/") or project.rng.random() < 0.5
        imports.append(Import(target, project.rng.randrange(4), is_lazy))


def remove_import(project: Project) -> None:
    imports = project.a_module().imports
    if imports:
        imports.pop(project.rng.randrange(len(imports)))


def move_import(project: Project) -> None:
    """Into a function, where it is needed as much."""
    for imported in project.a_module().imports:
        imported.is_lazy = True


def add_helper(project: Project) -> None:
    path = f"h{project.number()}.py"
    project.modules[path] = Module()
    imports = project.modules[project.rng.choice(list(CHAINLETS.values()))].imports
    if len(imports) < 5:
        imports.append(Import(path, project.rng.randrange(2), is_lazy=False))


def remove_helper(project: Project) -> None:
    """With all imports of it."""
    removable = [p for p in project.helpers() if p.startswith("h")]
    if len(removable) > 4:
        path = project.rng.choice(removable)
        del project.modules[path]
        for module in project.modules.values():
            module.imports = [i for i in module.imports if i.target != path]


def rename_helper(project: Project) -> None:
    """And in all imports of it."""
    path = project.rng.choice([p for p in project.helpers() if p.startswith("h")])
    new = f"h{project.number()}.py"
    project.modules[new] = project.modules.pop(path)
    for module in project.modules.values():
        for imported in module.imports:
            if imported.target == path:
                imported.target, imported.is_lazy = new, True
    for imported in project.modules[new].imports:
        imported.is_lazy = True


def change_mode(project: Project) -> None:
    files: list[Module | Plain] = [*project.modules.values(), *project.plain.values()]
    file = project.rng.choice(files)
    file.is_executable = not file.is_executable


def edit_plain(project: Project) -> None:
    project.rng.choice(list(project.plain.values())).text = f"text {project.number()}"


def add_plain(project: Project) -> None:
    directory = project.rng.choice([*DATA_DIRS, "assets", "prompts", "models", "ext", "."])
    project.plain[posixpath.normpath(f"{directory}/f{project.number()}.txt")] = Plain("new")


def remove_plain(project: Project) -> None:
    """What names it goes on doing so."""
    if len(project.plain) > 10:
        del project.plain[project.rng.choice(sorted(project.plain))]


def rename_plain(project: Project) -> None:
    """Half of the time those that name it are told."""
    path = project.rng.choice(sorted(project.plain))
    new = posixpath.join(posixpath.dirname(path), f"r{project.number()}.txt")
    project.plain[new] = project.plain.pop(path)
    if project.rng.random() < 0.5:
        for module in project.modules.values():
            module.names = [new if name == path else name for name in module.names]


def name_a_file(project: Project) -> None:
    path = project.rng.choice([p for p in project.modules if "/" not in p])
    names = project.modules[path].names
    if names and project.rng.random() < 0.4:
        names.pop()
    elif len(names) < 4:
        names.append(project.rng.choice([*sorted(project.plain), "assets", "prompts", "nothing.txt"]))


def ignore_a_file(project: Project) -> None:
    if project.ignored and project.rng.random() < 0.7:
        project.ignored.discard(min(project.ignored))
    else:
        project.ignored.add(project.rng.choice([*sorted(project.plain), *project.helpers()]))


def edit_variable(project: Project) -> None:
    env = project.a_wish().env
    name = project.rng.choice("AB")
    if env.pop(name, None) is None or project.rng.random() < 0.7:
        env[name] = f"v{project.number()}"


def edit_apt(project: Project) -> None:
    apt = project.a_wish().apt
    word = project.rng.choice(["git", "curl", "jq"])
    if word in apt:
        apt.remove(word)
    else:
        apt.insert(project.rng.randrange(len(apt) + 1), word)


def reorder_apt(project: Project) -> None:
    project.a_wish().apt.reverse()


def edit_command(project: Project) -> None:
    commands = project.a_wish().commands
    if commands and project.rng.random() < 0.5:
        commands.pop(project.rng.randrange(len(commands)))
    elif len(commands) < 3:
        commands.insert(project.rng.randrange(len(commands) + 1), f"echo {project.number()}")


def edit_requirement(project: Project) -> None:
    pip = project.a_wish().pip
    package = project.rng.choice(["numpy", "pydantic", "pillow"])
    if pip.pop(package, None) is None or project.rng.random() < 0.6:
        pip[package] = f"{project.number()}.0"


def edit_requirements_file(project: Project) -> None:
    path = project.rng.choice(sorted(project.pins))
    if project.rng.random() < 0.5:
        project.pin_comments[path] = project.number()
    else:
        project.pins[path][project.rng.choice(["numpy", "idna"])] = f"{project.number()}.0"


def edit_wish(project: Project) -> None:
    """Something that goes into the image."""
    wish = project.a_wish()
    match project.rng.randrange(5):
        case 0:
            wish.python = {"py311": "py312", "py312": "py311"}[wish.python]
        case 1:
            wish.data = project.rng.choice(["", *DATA_DIRS])
        case 2:
            wish.has_packages = not wish.has_packages
        case 3:
            wish.has_requirements_file = not wish.has_requirements_file
        case _:
            wish.has_debug_logs = not wish.has_debug_logs


def edit_deploy(project: Project) -> None:
    """Something that goes into no image, but for the text of the file that says it."""
    wish = project.a_wish()
    wish.memory, wish.secrets = 1 + project.number() % 7, project.number() % 3


def edit_async(project: Project) -> None:
    wish = project.a_wish()
    wish.is_async = not wish.is_async


def edit_settings(project: Project) -> None:
    match project.rng.randrange(3):
        case 0:
            project.mirrors["3.12"] = f"mirror/python:3.12-{project.number()}"
        case 1:
            project.certificates = [*project.certificates, f"{PEM}{project.number()}"][-2:]
        case _:
            project.runtime = project.number()


def touch(project: Project) -> None:
    """A file whose time changes, and nothing else."""
    (project.root / "c1.py").touch()


def _rank(path: str) -> int:
    return int(path[1:].removesuffix(".py"))


_COMMON: tuple[Callable[[Project], None], ...] = (
    edit_code,
    edit_comment,
    edit_plain,
    add_import,
    remove_import,
)
_EDITS: tuple[Callable[[Project], None], ...] = (
    *_COMMON, *_COMMON, move_import, add_helper, remove_helper, rename_helper, change_mode, add_plain, remove_plain,
    rename_plain, name_a_file, ignore_a_file, edit_variable, edit_apt, reorder_apt, edit_command, edit_requirement,
    edit_requirements_file, edit_wish, edit_deploy, edit_async, edit_settings, touch,
)  # fmt: skip
EDIT_NAMES = frozenset(edit.__name__ for edit in _EDITS)
