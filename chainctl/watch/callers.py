"""A chain and the trees of its files in; calls between its chainlets that do not fit their signatures, out. Pure.

Only what is plain from the text is told: a stub that `__init__` keeps under a name of `self`, and calls whose
arguments are all written out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chainctl.graph.graph import ChainGraph, ChainletSpec

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class UnfitCall:
    """A call, and why it does not fit what it calls."""

    path: str
    line: int
    text: str


def unfit_calls(graph: ChainGraph, trees: Mapping[str, ast.Module]) -> tuple[UnfitCall, ...]:
    """Return them by file and line."""
    found = []
    for edge in graph.edges:
        caller = _class_of(graph.chainlet(edge.caller), trees)
        callee = _class_of(graph.chainlet(edge.callee), trees)
        remote = _called(callee, graph.chainlet(edge.callee)) if callee is not None else None
        if caller is None or remote is None:
            continue
        for call in _calls(caller, edge.argument):
            why = _misfit(call, remote.args)
            if why:
                text = f"`{edge.caller}` calls `{edge.callee}.run_remote` {why}"
                found.append(UnfitCall(graph.chainlet(edge.caller).path, call.lineno, text))
    return tuple(sorted(set(found), key=lambda one: (one.path, one.line, one.text)))


def _class_of(spec: ChainletSpec, trees: Mapping[str, ast.Module]) -> ast.ClassDef | None:
    body = trees[spec.path].body if spec.path in trees else []
    found: ast.ClassDef | None = None
    for name in spec.qualname.split("."):
        found = next((n for n in body if isinstance(n, ast.ClassDef) and n.name == name), None)
        body = found.body if found is not None else []
    return found


def _called(callee: ast.ClassDef, spec: ChainletSpec) -> _Function | None:
    """The method whose arguments callers give; None where another class has it, or a batch names them otherwise."""
    found = _method(callee, "preprocess") or _method(callee, "run_remote")
    names = {p.arg for p in (*found.args.args, *found.args.kwonlyargs)} if found is not None else set()
    known = spec.input_schema.get("properties")
    is_seen = known is None or spec.takes_stream or names - {"self"} == known.keys()
    return found if is_seen else None


def _method(of: ast.ClassDef, name: str) -> _Function | None:
    return next((n for n in of.body if isinstance(n, _Function) and n.name == name), None)


def _calls(caller: ast.ClassDef, argument: str) -> Iterator[ast.Call]:
    """Calls of the stub that came as an argument, with all arguments written out."""
    init = _method(caller, "__init__")
    kept = {
        target.attr
        for node in ast.walk(init or ast.Module([], []))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == argument
        for target in node.targets
        if isinstance(target, ast.Attribute) and _is_self(target.value)
    }
    for node in ast.walk(caller):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        stub = node.func.value
        if node.func.attr != "run_remote" or not isinstance(stub, ast.Attribute) or not _is_self(stub.value):
            continue
        is_plain = not any(isinstance(a, ast.Starred) for a in node.args) and all(
            k.arg for k in node.keywords
        )
        if stub.attr in kept and is_plain:
            yield node


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _misfit(call: ast.Call, takes: ast.arguments) -> str:
    """Say how a call differs from what a method takes, "" where it fits."""
    places = [arg.arg for arg in (*takes.posonlyargs, *takes.args)][1:]
    names = {*places, *(arg.arg for arg in takes.kwonlyargs)}
    optional = {*places[len(places) - len(takes.defaults) :]} if takes.defaults else set()
    optional |= {arg.arg for arg, d in zip(takes.kwonlyargs, takes.kw_defaults, strict=True) if d is not None}
    given = {*places[: len(call.args)], *(str(key.arg) for key in call.keywords)}
    if len(call.args) > len(places) and takes.vararg is None:
        return f"with {len(call.args)} arguments, and it takes {len(places)}"
    if given - names and takes.kwarg is None:
        return f"with {_quoted(given - names)}, which it does not take"
    missing = names - optional - given
    return f"without {_quoted(missing)}" if missing else ""


def _quoted(names: set[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
