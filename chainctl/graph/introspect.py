"""A loaded chain module in; an Introspection (graph and problems) out. Child interpreter only."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from typing import Any

from chainctl.errors import Problem
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.describe import Description, class_span, display_name
from chainctl.graph.graph import Introspection
from chainctl.graph.ignored import ignored_problems
from chainctl.graph.lookup import lookup_problems
from chainctl.graph.misuse import misuse_problems
from chainctl.graph.truss_members import truss_members
from chainctl.sdk.chainlet import EntrypointMark, entrypoint_mark, is_chainlet
from chainctl.sdk.checks import problems_of
from chainctl.sdk.declaration import init_parameters, resolve_target
from chainctl.sdk.markers import DependencyMarker, target_of
from chainctl.truss.kinds import in_words_of, unsupported


def introspect(module: types.ModuleType, file: ChainFile) -> Introspection:
    """Check a module's chainlets and describe the graph that hangs on its entrypoint."""
    own = _own_chainlets(module)
    entrypoint = _entrypoint(module, file, own)
    problems = [*_misplaced_marks(module), *misuse_problems(module)]
    if isinstance(entrypoint, Problem):
        problems.append(entrypoint)
    reachable = _reachable([entrypoint] if isinstance(entrypoint, type) else own)
    known = dict.fromkeys([*reachable, *own])
    foreign = {cls: problem for cls in known if (problem := unsupported(cls)) is not None}
    problems += [problem for cls, problem in foreign.items() if cls in reachable]
    members = truss_members(reachable, entrypoint)
    problems += [problem for found in members.values() for problem in found.problems]
    unchecked = foreign.keys() | members.keys()
    checked = [cls for cls in known if cls not in unchecked and not foreign.keys() & {*_targets(cls)}]
    problems += [in_words_of(cls, problem) for cls in checked for problem in problems_of(cls)]
    problems += ignored_problems(checked)
    problems += lookup_problems(reachable)
    problems += _cycle_problems(reachable)
    problems += _name_problems(reachable)
    if any(p.is_error for p in problems) or not isinstance(entrypoint, type):
        return Introspection(_sorted(problems))
    specs = {cls: found.spec for cls, found in members.items() if found.spec is not None}
    described = Description(file, reachable, specs)
    problems += described.problems + list(_unreachable(own, reachable))
    if any(p.is_error for p in problems):
        return Introspection(_sorted(problems))
    graph = described.graph(entrypoint, entrypoint_mark(entrypoint), _sorted(problems))
    return Introspection((), graph)


def _sorted(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    unique = dict.fromkeys(problems)
    return tuple(sorted(unique, key=lambda p: (p.path, p.line, p.column, p.code, p.message)))


# --- the entrypoint --------------------------------------------------------------------------


def _entrypoint(module: types.ModuleType, file: ChainFile, own: list[type]) -> type | Problem:
    if file.entrypoint:
        return _named_entrypoint(module, file, file.entrypoint)
    path = str(file.path)
    marked = [cls for cls in own if entrypoint_mark(cls)]
    if len(marked) == 1:
        return marked[0]
    if len(marked) > 1:
        names = " and ".join(f"`{cls.__name__}`" for cls in marked)
        return class_span(marked[-1]).problem(
            "CH0108",
            f"{names} are both marked as entrypoint",
            help="mark one of them, or name the one to use: "
            f"`chainctl push {file.path.name}:{marked[0].__name__}`",
        )
    if len(own) == 1:
        return own[0]
    if not own:
        return Problem(
            "CH0106",
            "the file defines no chainlet",
            path,
            1,
            help="derive a class from `chains.ChainletBase`; `chainctl init` writes an example",
        )
    names = ", ".join(cls.__name__ for cls in own)
    return Problem(
        "CH0107",
        f"none of the chainlets is marked as entrypoint: {names}",
        path,
        1,
        help="put `@chains.mark_entrypoint` above the one that callers call",
    )


def _named_entrypoint(module: types.ModuleType, file: ChainFile, name: str) -> type | Problem:
    value = getattr(module, name, None)
    if isinstance(value, type) and is_chainlet(value):
        return value
    what = "has no class" if value is None else "has something else than a chainlet called"
    return Problem(
        "CH0109", f"{file.path.name} {what} `{name}`", str(file.path), help="check the name after the colon"
    )


def _misplaced_marks(module: types.ModuleType) -> Iterator[Problem]:
    for name, value in vars(module).items():
        mark = entrypoint_mark(value)
        if isinstance(mark, EntrypointMark) and not is_chainlet(value) and _is_own(value, module):
            yield class_span(value, name).problem(
                "CH0110",
                f"`@chains.mark_entrypoint` stands on `{name}`, which is no chainlet",
                help="derive it from `chains.ChainletBase`",
            )


def _is_own(value: Any, module: types.ModuleType) -> bool:
    return getattr(value, "__module__", None) == module.__name__


def _own_chainlets(module: types.ModuleType) -> list[type]:
    """The chainlets that a module defines, each once, without those that are only there to be derived from."""
    own = dict.fromkeys(v for v in vars(module).values() if is_chainlet(v) and _is_own(v, module))
    return [cls for cls in own if hasattr(cls, "run_remote") or not any(cls in o.__mro__[1:] for o in own)]


# --- the graph -------------------------------------------------------------------------------


def _targets(cls: type) -> Iterator[type]:
    try:
        parameters = init_parameters(cls)
    except (TypeError, ValueError):
        return
    for parameter in parameters.values():
        if isinstance(parameter.default, DependencyMarker):
            target = resolve_target(cls, target_of(parameter.default))
            if target is not None and is_chainlet(target):
                yield target


def _reachable(starts: Sequence[type]) -> list[type]:
    found: dict[type, None] = {}
    waiting = list(reversed(starts))
    while waiting:
        cls = waiting.pop()
        if cls not in found:
            found[cls] = None
            waiting += reversed(list(_targets(cls)))
    return list(found)


def _cycle_problems(classes: list[type]) -> Iterator[Problem]:
    """Report each circle once, at the dependency that closes it. Linear in the edges."""
    done: set[type] = set()

    def visit(cls: type, above: dict[type, None]) -> Iterator[Problem]:
        if cls in done:
            return
        above = {**above, cls: None}
        for target in _targets(cls):
            if target in above and target is not cls:
                path = list(above)
                circle = [*path[path.index(target) :], target]
                names = " → ".join(c.__name__ for c in circle)
                yield class_span(cls).problem(
                    "CH0201",
                    f"these chainlets depend on each other in a circle: {names}",
                    note="a call would never end, and no order of starting them works",
                    help="take one of the dependencies out, or put the shared part into a third chainlet",
                )
            elif target is not cls:
                yield from visit(target, above)
        done.add(cls)

    for cls in classes:
        yield from visit(cls, {})


def _name_problems(classes: list[type]) -> Iterator[Problem]:
    seen: dict[str, type] = {}
    for cls in classes:
        name = display_name(cls)
        other = seen.setdefault(name.lower().replace("_", "-"), cls)
        if other is not cls:
            yield class_span(cls).problem(
                "CH0205",
                f"two chainlets are called `{name}`: `{other.__module__}.{other.__qualname__}` and"
                f" `{cls.__module__}.{cls.__qualname__}`",
                note="names become host names, so case and `_`/`-` do not tell them apart",
                help='give one of them another name: `RemoteConfig(name="…")`',
            )


def _unreachable(own: list[type], reachable: list[type]) -> Iterator[Problem]:
    """Report chainlets that are neither deployed nor variants of one that is, nor needed by a variant."""
    variants = [cls for cls in own if cls not in reachable and _is_variant(cls, reachable)]
    excused = {*reachable, *_reachable(variants)}
    for cls in own:
        if cls not in excused:
            yield class_span(cls).problem(
                "CH0206",
                f"`{cls.__name__}` is not reached from the entrypoint, so it is not deployed",
                help="depend on it, or remove it",
                severity="warning",
            )


def _is_variant(cls: type, reachable: list[type]) -> bool:
    """Whether a class shares a chainlet of the user's as base with one that is deployed, or is that base."""
    line = {base for base in cls.__mro__ if is_chainlet(base)}
    return any(line & set(other.__mro__) for other in reachable)
