"""Questions in a chainlet's signature in, answers out; each Resolver is one degree of fidelity."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping
from typing import Any, Optional

from chainctl.calls.client_loop import ClientLoop
from chainctl.calls.outside import outside_chainlet
from chainctl.errors import ChainDefinitionError, ChainsRuntimeError, ChainsUsageError, Problem
from chainctl.sdk.chainlet import naive_instantiation
from chainctl.sdk.checks import problems_of
from chainctl.sdk.context import DeployedServiceDescriptor, DeploymentContext
from chainctl.sdk.declaration import CONTEXT, Declaration, Dependency, declaration_of
from chainctl.sdk.markers import ContextMarker, DependencyMarker
from chainctl.sdk.resolver import CURRENT_RESOLVER, Resolver
from chainctl.worker.inline import inline_chainlet

Wrap = Callable[[Declaration, Any], Any]
StandIn = Any
"""A class, an object of one, or the URL of another chain."""


class RefusingResolver:
    """Holds while user code runs: chainlets are created by the framework only."""

    def arguments(self, cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
        raise naive_instantiation(cls)


class LocalResolver:
    """Gives objects: one shared instance of each dependency, made when it is first asked for.

    `context_for` makes a chainlet's context, `wrap` may put something around a dependency (the
    codec does), identity by default. `stand_ins` has, by display name, what is used in the place of a
    chainlet; a class was checked before. Raises ChainsUsageError with all problems of a class.
    """

    def __init__(
        self,
        context_for: Callable[[Declaration], DeploymentContext],
        wrap: Optional[Wrap] = None,
        stand_ins: Optional[Mapping[str, StandIn]] = None,
    ) -> None:
        self._context_for = context_for
        self._wrap: Wrap = wrap or (lambda _, instance: instance)
        self._stand_ins = stand_ins or {}
        self._loop = ClientLoop()
        self._instances: dict[type, Any] = {}
        self._checked: set[type] = set()

    def arguments(self, cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
        self._check(cls, ())
        declaration = declaration_of(cls)
        answers = {d.argument: d for d in declaration.dependencies if d.argument not in given}
        resolved = {name: self._instance(d) for name, d in answers.items()}
        if declaration.wants_context and CONTEXT not in given:
            resolved[CONTEXT] = self._context_for(declaration)
        return {**resolved, **given}

    def _instance(self, dependency: Dependency) -> Any:
        cls = dependency.target
        if cls not in self._instances:
            self._instances[cls] = self._made(dependency)
        return self._instances[cls]

    def _made(self, dependency: Dependency) -> Any:
        cls, declaration = dependency.target, declaration_of(dependency.target)
        name = declaration.display_name
        stand_in = self._stand_ins.get(name)
        if isinstance(stand_in, str):
            options = dependency.options
            service = DeployedServiceDescriptor(
                name=cls.__name__, display_name=name, options=options, predict_url=stand_in
            )
            return outside_chainlet(cls, service, self._loop)
        made = build(cls, self) if stand_in is None else self._fake(stand_in)
        return self._wrap(declaration, inline_chainlet(made, self._loop))

    def _fake(self, fake: Any) -> Any:
        if not isinstance(fake, type):
            return fake
        cls: type = fake
        declaration = declaration_of(cls)
        given = {CONTEXT: self._context_for(declaration)} if declaration.wants_context else {}
        return call_refusing(lambda: type.__call__(cls, **given))

    def _check(self, cls: type, above: tuple[type, ...]) -> None:
        """Check a class and all that it depends on, once."""
        if cls in above:
            path = " → ".join(c.__name__ for c in (*above[above.index(cls) :], cls))
            raise ChainsUsageError(f"these chainlets depend on each other in a circle: {path}")
        if cls in self._checked:
            return
        errors = [p for p in problems_of(cls) if p.is_error]
        if errors:
            raise usage_error(errors)
        for dependency in declaration_of(cls).dependencies:
            self._check(dependency.target, (*above, cls))
        self._checked.add(cls)


def usage_error(problems: list[Problem]) -> ChainsUsageError:
    """Make one error of all problems of a class."""
    together = ChainDefinitionError(problems)
    return ChainsUsageError("\n".join([together.message + ":", *together.details]), details=together.details)


def build(cls: type, resolver: Resolver) -> Any:
    """Create a chainlet: the resolver answers its questions, its own code may create no other."""
    resolved = resolver.arguments(cls, {})
    return call_refusing(lambda: type.__call__(cls, **resolved))


def call_refusing(work: Callable[[], Any]) -> Any:
    """Run user code in a context in which chainlets cannot be created."""

    def run() -> Any:
        CURRENT_RESOLVER.set(RefusingResolver())
        return work()

    return contextvars.copy_context().run(run)


def unanswered(arguments: Mapping[str, Any]) -> None:
    """Check that no question is left. Raises ChainsRuntimeError."""
    for name, value in arguments.items():
        if isinstance(value, (DependencyMarker, ContextMarker)):
            raise ChainsRuntimeError(f"argument `{name}` was left open: {value!r}")
