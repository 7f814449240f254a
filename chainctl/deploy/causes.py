"""A service, and the one before it, in; why it is another one out. Pure."""

from __future__ import annotations

from chainctl.deploy.release import Fingerprint, ServiceSpec

CONFIGURED = "its configuration changed"


def causes(service: ServiceSpec, old: Fingerprint, older: ServiceSpec | None) -> list[str]:
    """Name the parts that differ; variables by name, where it is known what the older one was made of."""
    found = service.fingerprint.causes(old)
    names = changed_variables(service, older) if older and older.fingerprint == old else ()
    told = f"{CONFIGURED}: {', '.join(names)}" if names else CONFIGURED
    return [told if cause == CONFIGURED else cause for cause in found]


def changed_variables(service: ServiceSpec, older: ServiceSpec) -> tuple[str, ...]:
    """Name the variables that came, went or have another value; never their values."""
    return tuple(sorted({name for name, _ in {*service.env} ^ {*older.env}}))
