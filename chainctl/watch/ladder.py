"""What an edit changed, and the chain before and after it, in; one action for each chainlet, with its reason, out.

Pure. The rungs are ordered: each does all that the ones before it do.
"""

from __future__ import annotations

import ast
import enum
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from chainctl.events import ONLY_LINES
from chainctl.graph.graph import ChainGraph, ChainletSpec
from chainctl.watch.source_change import WHOLE_MODULE, Extent, SourceChange
from chainctl.watch.uses import Definition, is_in, used_by

_IMAGE = ("docker_image", "build_commands", "build_secret_keys", "config.yaml")
"""The keys of a configuration that are about the image only; what only its model sees of a config.yaml is, too."""


class Rung(enum.IntEnum):
    """How much has to be done for an edit, from the least on."""

    NOTHING = 0
    SWAP = 1
    REIMPORT = 2
    REINIT = 3
    RESTART = 4
    REBUILD = 5
    REPLAN = 6

    def __str__(self) -> str:
        return {4: "restart", 5: "rebuild", 6: "push"}.get(self, self.name.lower())


@dataclass(frozen=True, slots=True)
class Step:
    """What to do with one chainlet, and why."""

    chainlet: str
    rung: Rung
    reason: str


@dataclass(frozen=True, slots=True)
class Edit:
    """What changed in the files of a chain, by path.

    `changes` are those of Python files; one that came or went changes from or to an empty text. `others` are the
    paths of all other files that came, went or differ. `trees` are the new texts of Python files.
    """

    changes: Mapping[str, SourceChange]
    others: frozenset[str]
    trees: Mapping[str, ast.Module]

    @property
    def keeps_graph(self) -> bool:
        """Say whether the graph must be the same after it: only bodies of functions differ, if anything."""
        return not self.others and all(c.extent is not Extent.MODULE for c in self.changes.values())


def steps_of(edit: Edit, before: ChainGraph, after: ChainGraph) -> tuple[Step, ...]:
    """Return the smallest safe action for each chainlet that an edit touches, sorted by name.

    Where chains differ in more than the insides of chainlets, there is one step for all: a push.
    """
    whole = _replanned(before, after)
    if whole:
        return (Step(after.entrypoint, Rung.REPLAN, whole),)
    found = [
        _step(edit, before.chainlet(spec.name), spec, _apart(spec, after, edit.trees))
        for spec in after.chainlets
    ]
    return tuple(sorted((one for one in found if one.rung), key=lambda one: one.chainlet))


def inputs_of(spec: ChainletSpec) -> tuple[str, ...]:
    """The files and directories, besides its sources, that a chainlet's image is made from; absolute paths."""
    image = spec.remote_config.docker_image
    files = [image.requirements_file, image.pip_requirements_file]
    given = [*files, image.data_dir, *(image.external_package_dirs or ())]
    places = [str(place) for place in given if place is not None]
    return tuple(dict.fromkeys([*places, *_truss_inputs(spec)]))


def _truss_inputs(spec: ChainletSpec) -> list[str]:
    """The directories of a Truss directory that its image has when they are there: they may come later."""
    file, config = spec.config_file, spec.truss_config or {}
    names = [config.get("data_dir"), config.get("bundled_packages_dir")]
    return [os.path.join(os.path.dirname(file), name) for name in names if name] if file else []  # noqa: PTH118, PTH120  # text


def is_below(path: str, place: str) -> bool:
    """Say whether a path is a place, or in it."""
    return path == place or path.startswith(f"{place.rstrip(os.sep)}{os.sep}")


def escalated(step: Step, rung: Rung, reason: str) -> Step:
    """Return the step on a higher rung, as the lower one was not possible."""
    return replace(step, rung=max(rung, step.rung), reason=reason)


def _replanned(before: ChainGraph, after: ChainGraph) -> str:
    """Say why only a push will do, "" where less does."""
    old, new = ({spec.name: spec for spec in graph.chainlets} for graph in (before, after))
    came, went = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
    if came or went:
        return " and ".join([*(f"{name} is new" for name in came), *(f"{name} was removed" for name in went)])
    if before.entrypoint != after.entrypoint:
        return f"{after.entrypoint} is the entrypoint"
    if before.component_text != after.component_text:
        return "the components of the file changed"
    if before.edges != after.edges:
        callers = sorted({edge.caller for edge in {*before.edges} ^ {*after.edges}})
        return f"what {', '.join(callers)} calls, and how, changed"
    for name in sorted(new):
        why = _differs(old[name], new[name])
        if why:
            return f"{why} of {name} changed"
    return ""


def _differs(old: ChainletSpec, new: ChainletSpec) -> str:
    interface = ("is_async", "is_stream", "takes_stream", "is_websocket", "input_schema", "output_schema")
    if any(getattr(old, field) != getattr(new, field) for field in interface):
        return "the signature"
    if (old.module, old.qualname) != (new.module, new.qualname):
        return "the place"
    changed = _keys(old, new)
    return f"the configuration ({', '.join(changed)})" if set(changed) - set(_IMAGE) else ""


def _keys(old: ChainletSpec, new: ChainletSpec) -> list[str]:
    keys = sorted({*old.config} | {*new.config})
    found = [key for key in keys if old.config.get(key) != new.config.get(key)]
    return found or (["config.yaml"] if old.truss_config != new.truss_config else [])


def _step(edit: Edit, old: ChainletSpec, new: ChainletSpec, apart: Sequence[Definition]) -> Step:
    """What changed only within other chainlets concerns this one no further than by its lines."""
    image = _keys(old, new)
    if image:
        return Step(new.name, Rung.REBUILD, f"its {' and '.join(image)} changed")
    files = {file.source: file.path for file in (*old.files, *new.files)}
    inputs = [path for path in sorted(edit.others) if any(is_below(path, place) for place in inputs_of(new))]
    if inputs:
        return Step(new.name, Rung.REBUILD, f"{_listed([os.path.basename(path) for path in inputs])} changed")  # noqa: PTH119  # text
    others = [files[path] for path in sorted(files) if path in edit.others]
    if others:
        return Step(new.name, Rung.RESTART, f"{_listed(others)} changed")
    touched = {path: edit.changes[path] for path in sorted(files) if path in edit.changes}
    if all(change.extent is Extent.NONE for change in touched.values()):
        return Step(new.name, Rung.NOTHING, "")
    bodies = {(path, name) for path, change in touched.items() for name in change.bodies}
    rest = {(path, name) for path, change in touched.items() for name in change.names}
    bodies, rest = ({key for key in keys if not is_in(key, apart)} for keys in (bodies, rest))
    trees = {path: edit.trees[path] for path in files if path in edit.trees}
    for own in _makers(new):
        hits = (bodies | rest) & used_by(trees, [own], apart)
        if hits:
            maker = f"`{own[1].removeprefix(f'{new.qualname}.')}`"
            reason = f"{maker} changed" if own in hits else f"{maker} uses {_names(hits)}, which changed"
            return Step(new.name, _made_anew(new), reason)
    if rest and new.truss_config is not None:
        return Step(new.name, Rung.RESTART, f"{_names(rest | bodies)} changed")
    unknown = sorted(files[path] for path, name in rest if name.endswith(WHOLE_MODULE))
    if unknown:
        return Step(new.name, Rung.REINIT, f"what importing {_listed(unknown)} does changed")
    if rest:
        return Step(new.name, Rung.REIMPORT, f"{_names(rest | bodies)} changed")
    if not bodies:
        return Step(new.name, Rung.SWAP, ONLY_LINES)
    what = "the body" if len(bodies) == 1 else "bodies"
    return Step(new.name, Rung.SWAP, f"only {what} of {_names(bodies)} changed")


def _makers(spec: ChainletSpec) -> list[Definition]:
    """The methods that make what a service keeps: a model is loaded after it was created."""
    names = ("__init__",) if spec.truss_config is None else ("__init__", "setup_environment", "load")
    return [(spec.path, f"{spec.qualname}.{name}") for name in names]


def _made_anew(spec: ChainletSpec) -> Rung:
    """The least that makes anew what a service keeps; that of a model is too large to be there twice."""
    return Rung.REINIT if spec.truss_config is None else Rung.RESTART


def _apart(spec: ChainletSpec, graph: ChainGraph, trees: Mapping[str, ast.Module]) -> list[Definition]:
    """The classes of other chainlets, but for those that this one is made from."""
    bases = _bases(spec, trees)
    return [
        (other.path, other.qualname)
        for other in graph.chainlets
        if other.name != spec.name and other.qualname.rpartition(".")[2] not in bases
    ]


def _bases(spec: ChainletSpec, trees: Mapping[str, ast.Module]) -> set[str]:
    """The names of all classes that a chainlet's class is made from, as they are written."""
    classes = {
        node.name: node
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found: set[str] = set()
    waiting = [spec.qualname.rpartition(".")[2]]
    while waiting:
        node = classes.get(waiting.pop())
        for base in node.bases if node else ():
            names = {n.id for n in ast.walk(base) if isinstance(n, ast.Name)}
            names |= {n.attr for n in ast.walk(base) if isinstance(n, ast.Attribute)}
            waiting += names - found
            found |= names
    return found


def _names(keys: Iterable[Definition]) -> str:
    return _listed([f"`{name}`" for name in sorted({name for _, name in keys})])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
