"""Edited texts in; the chainlet's class from modules executed anew, with the live state or a new one, out."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any, Optional

from chainctl.sdk.chainlet import ChainletMeta, has_own_init
from chainctl.sdk.checks import declaration_problems
from chainctl.sdk.declaration import Declaration, declaration_of
from chainctl.worker.generations.affected import affected_modules, user_modules
from chainctl.worker.generations.code_tree import bare
from chainctl.worker.generations.held import held_by
from chainctl.worker.generations.importing import SourceFinder, Views
from chainctl.worker.generations.refusal import Refused
from chainctl.worker.generations.sources import Sources, Texts, module_name
from chainctl.worker.generations.stub_versions import StubVersions
from chainctl.worker.generations.window import Modules, Window
from chainctl.worker.origin import Origin
from chainctl.worker.resolvers import call_refusing
from chainctl.worker.servings import Serving

_OWN_SLOTS = {"__dict__", "__weakref__"}


class Renewal:
    """One edit that executes modules anew. Nothing of the live ones is touched until `commit`."""

    def __init__(
        self,
        number: int,
        texts: Texts,
        sources: Sources,
        origin: Origin,
        live: Serving,
        finder: SourceFinder,
        views: Views,
    ) -> None:
        self._number = number
        self._texts = texts
        self._origin = origin
        self._live = live
        self._views = views
        loaded = user_modules(sources)
        self.old = affected_modules(texts, sources, loaded)
        self._view: Modules = loaded
        self._removed = {module_name(path) for path, text in texts.items() if text is None}
        self.window = Window(finder, sources, self.old)
        self.stubs: list[StubVersions] = []
        self.serving: Optional[Serving] = None
        views.give(self.old, loaded, number)

    def reimport(self, stubs: Callable[[Any], StubVersions]) -> None:
        """Make an object of the new class that has the very state of the live one. Raises Refused, and user errors."""
        held = held_by(getattr(self._live.instance, "__dict__", {}), list(self.old.values()))
        if held.stale is not None:
            raise Refused(f"the state holds {held.stale}, which the edit makes anew", "reinit")
        with self.window.opened():
            cls = self._executed()
            if cls is None:
                return
            declaration = self._checked(cls)
            self._refuse_new_init(cls)
            instance = _with_state_of(self._live.instance, cls)
            self.serving = Serving(self._number, declaration, instance)
            self._renew_stubs([stubs(stub) for stub in held.stubs])
        self._seen_by_fresh()

    def reinit(self) -> None:
        """Make a new object as any chainlet is made. Raises Refused, and user errors."""
        with self.window.opened():
            cls = self._executed() or type(self._live.instance)
            declaration = self._checked(cls)
            assert self._origin.resolver is not None  # else nobody renews
            arguments = self._origin.resolver.arguments(cls, {})
        self._seen_by_fresh()
        with self.window.preparing():
            make = functools.partial(type.__call__, cls, **arguments)
            instance = call_refusing(make)
        with self.window.opened():
            self.serving = Serving(self._number, declaration, instance)

    def commit(self) -> None:
        """Have all code that runs from now on see the fresh modules."""
        self.window.install(self._removed)
        self._views.take(self.window.fresh)

    def abort(self) -> None:
        """Leave everything as it was."""
        self.window.close()
        for stub in self.stubs:
            stub.drop(self._number)
        self._views.take(self.old)
        self._views.take(self.window.fresh)

    def _executed(self) -> Optional[Any]:
        """Execute the modules; return the new class, None where the chainlet's own module is not among them."""
        own = {self._origin.module} & self.old.keys()
        self.window.execute(own)  # first, so that imports go in the order in which the chain makes them
        self.window.execute(self.old.keys() - self._removed - own)
        if not own:
            return None
        cls = self._origin.found_in(_module(self._origin.module))
        if not isinstance(cls, ChainletMeta):
            raise Refused(f"`{self._origin.qualname}` is no chainlet any more", "restart")
        return cls

    def _checked(self, cls: Any) -> Declaration:
        """Read the new class, and see that it can stand in the place of the live one."""
        problems = [p for p in declaration_problems(cls) if p.is_error]
        if problems:
            raise Refused(problems[0].message, None)
        declaration, live = declaration_of(cls), self._live.call.declaration
        if _shape(declaration) != _shape(live):
            raise Refused(
                f"`{cls.__name__}` declares other settings, dependencies or kinds of call", "restart"
            )
        return declaration

    def _refuse_new_init(self, cls: Any) -> None:
        """A state that another `__init__` made is not that of this class."""
        live = type(self._live.instance)
        if has_own_init(cls) != has_own_init(live) or _init_code(cls) != _init_code(live):
            raise Refused(f"`{cls.__name__}.__init__` changed", "reinit")

    def _renew_stubs(self, stubs: list[StubVersions]) -> None:
        """Let stand-ins in the state encode and decode with the fresh classes."""
        old = {module.__name__ for module in self.old.values()}
        for stub in stubs:
            endpoint = stub.endpoint
            if endpoint is None:
                raise Refused("the state holds a stand-in of an unknown kind", "reinit")
            if endpoint.cls.__module__ not in old:
                continue
            target: Any = _module(endpoint.cls.__module__)
            for part in endpoint.cls.__qualname__.split("."):
                target = getattr(target, part, None)
            if not isinstance(target, ChainletMeta):
                raise Refused(f"`{endpoint.cls.__name__}` is no chainlet any more", "restart")
            stub.add(self._number, endpoint.renewed(target))
            self.stubs.append(stub)

    def _seen_by_fresh(self) -> None:
        """Let imports in functions of the fresh modules find fresh modules, before they are committed too."""
        fresh = self.window.fresh
        self._views.give(fresh, {**self._view, **fresh}, self._number)


def _module(name: str) -> types.ModuleType:
    return sys.modules[name]


def _shape(declaration: Declaration) -> tuple[Any, ...]:
    endpoint = declaration.endpoint
    return (
        declaration.display_name,
        (endpoint.is_async, endpoint.is_stream, endpoint.is_websocket, endpoint.item_parameter is None),
        declaration.stages,
        declaration.config.compute,
        declaration.config.options,
        [(d.argument, d.target.__qualname__, d.options) for d in declaration.dependencies],
        declaration.wants_context,
    )


def _init_code(cls: type) -> Any:
    init = inspect.unwrap(inspect.getattr_static(cls, "__init__"))
    code = getattr(init, "__code__", None)
    return bare(code) if isinstance(code, types.CodeType) else None


def _with_state_of(live: Any, cls: type) -> Any:
    slots = {name for c in (cls, type(live)) for k in c.__mro__ for name in _slots(k)}
    if slots - _OWN_SLOTS or not hasattr(live, "__dict__"):
        raise Refused(f"`{cls.__name__}` keeps its state in `__slots__`", "reinit")
    instance: Any = object.__new__(cls)
    instance.__dict__ = live.__dict__
    return instance


def _slots(cls: type) -> tuple[str, ...]:
    slots = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)
