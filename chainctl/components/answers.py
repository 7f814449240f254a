"""What a Component answers about itself: a component in; its hash, children, encoded form, differences out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from chainctl.components.decode import decoded
from chainctl.components.encode import key_of
from chainctl.components.identity import Identities
from chainctl.components.nodes import CHAIN, blobs_of, builds_of, encoded
from chainctl.errors import ComponentError
from chainctl.sdk.component import Component, is_output


def hash_of(component: Component) -> str:
    return Identities().hash(component)


def uuid_of(component: Component) -> str:
    return Identities().uuid(component)


def children_of(component: Component) -> tuple[Component, ...]:
    """Return what a component refers to directly, in the order of its fields."""
    encoder = encoded(component)
    return tuple(encoder.encoded[key].component for key in encoder.encoded[key_of(component)].children)


def encode(component: Component) -> dict[str, Any]:
    """Return JSON values; what they refer to is under `_builds`, bytes are under `_blobs`."""
    encoder = encoded(component)
    key = key_of(component)
    blobs = {name: encoder.blobs[name] for name in sorted(blobs_of(key, encoder))}
    builds = builds_of(key, encoder)
    if CHAIN in encoder.encoded:
        builds[str(CHAIN)] = encoder.encoded[CHAIN].data
    return {**encoder.encoded[key].data, "_builds": builds, "_blobs": blobs}


def decode(value: Mapping[str, Any]) -> Component:
    return decoded(value)


def diff(one: Component, other: Component) -> dict[str, tuple[object, object]]:
    """Return the fields that differ, with both values."""
    if one.component != other.component:
        raise ComponentError(
            f"a {one.component} cannot be compared with a {other.component}.",
            hint="compare components of one class.",
        )
    identities = Identities()
    names = _fields(one) | _fields(other)
    found: dict[str, tuple[object, object]] = {}
    for name in sorted(names):
        values = [_identity(identities, each, name) for each in (one, other)]
        if values[0] != values[1]:
            found[name] = (getattr(one, name, None), getattr(other, name, None))
    if identities.code(one) != identities.code(other):
        found["(code)"] = (type(one), type(other))
    return found


def _fields(component: Component) -> set[str]:
    return {field.name for field in dataclasses.fields(component) if not is_output(field)}


def _identity(identities: Identities, component: Component, name: str) -> Any:
    return identities.fields(component, [name]) if name in _fields(component) else None


def show(component: Component) -> str:
    """Return a component as lines of text."""
    state = f"version {component.version}, {component.status}" if component.version else component.status
    lines = [f"{component.component}:{component.identifier}  ({state})", f"  hash = {component.hash[:12]}"]
    names = [field.name for field in dataclasses.fields(component) if field.name != "identifier"]
    return "\n".join([*lines, *(f"  {name} = {_shown(getattr(component, name))}" for name in names)])


def _shown(value: object) -> str:
    text = f"?{key_of(value)}" if isinstance(value, Component) else repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
