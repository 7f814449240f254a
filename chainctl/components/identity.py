"""A component in; its hash, its breaking hash and its uuid out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from chainctl.components.canonical import digest_of
from chainctl.components.fingerprint import Fingerprint
from chainctl.errors import EncodeError
from chainctl.sdk.component import Component, is_output


class Identities:
    """Says what components are; each is looked at once, however many refer to it."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}
        self._held: list[Component] = []
        self._open: list[int] = []

    def hash(self, component: Component) -> str:
        """Return the digest of a component's class, fields and the hashes of what it refers to."""
        if id(component) in self._open:
            raise EncodeError(
                f"`{component.component}:{component.identifier}` refers to itself, by way of others.",
                code="CH0910",
                hint="take one of the references out.",
            )
        if id(component) not in self._known:
            self._open.append(id(component))
            try:
                self._known[id(component)] = digest_of(self._value(component))
            finally:
                self._open.pop()
            self._held.append(component)  # so that no other gets its id
        return self._known[id(component)]

    def breaking(self, component: Component) -> str:
        """Return the digest of the fields that make another version."""
        name = [component.component, component.identifier]
        return digest_of([*name, self.fields(component, sorted(type(component).breaks))])

    def uuid(self, component: Component) -> str:
        return self.breaking(component)[:32]

    def code(self, component: Component) -> Any:
        """Return what the class of a component is, as JSON."""
        return Fingerprint(self._reference).of(type(component))

    def fields(self, component: Component, names: Sequence[str]) -> dict[str, Any]:
        """Return what fields are, as JSON."""
        return {name: Fingerprint(self._reference).of(getattr(component, name)) for name in names}

    def _value(self, component: Component) -> list[Any]:
        names = [f.name for f in dataclasses.fields(component) if not is_output(f)]
        return [component.component, self.code(component), self.fields(component, names)]

    def _reference(self, component: Component) -> list[str]:
        return ["component", component.component, component.identifier, self.hash(component)]
