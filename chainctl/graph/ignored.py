"""Chainlet classes in; a warning for each file that configures what has no effect here, with the reasons, out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chainctl.errors import Problem
from chainctl.graph.requirements import requirement_name
from chainctl.sdk.config import CustomImage, RemoteConfig
from chainctl.sdk.locate import Span
from chainctl.sdk.subject import Subject

REASONS = {
    "docker_auth": "images are pulled with the logins of Docker on this machine",
    "truss_server_version_override": "chainctl's own server is in every image",
    "truss": "chainctl has what its files import of it",
    "instance_type": "there is no catalogue of machines: `cpu_count`, `memory` and `gpu` are what counts",
    "cached": "no platform caches weights: a `chains.Download` in `Assets(volumes=[…])` brings files along",
    "external_data": "no platform downloads it: a `chains.Download` in `Assets(volumes=[…])` brings files along",
    "weights": "no platform mirrors weights: a `chains.Download` in `Assets(volumes=[…])` brings files along",
    "enable_b10_tracing": "every call is traced: `chainctl trace` shows it",
    "streaming_read_timeout": "a stream is bounded by the deadline of its call, not by its pauses",
}
"""Why what is written has no effect, by its name."""


def ignored_problems(classes: Iterable[type]) -> Iterator[Problem]:
    """Warn once for each file, at the first configuration that holds something without effect."""
    found: dict[str, list[tuple[Span, str, list[str]]]] = {}
    for cls in classes:
        config, subject = getattr(cls, "remote_config", None), Subject(cls)
        names = _written(config) if isinstance(config, RemoteConfig) else []
        if names:
            span = subject.at("remote_config")
            found.setdefault(span.path, []).append((span, subject.name, names))
    for uses in found.values():
        yield _problem(sorted(uses, key=lambda use: (use[0].line, use[1])))


def ignored_problem(place: Span, names: Iterable[str], reasons: Sequence[str]) -> Problem:
    """Warn of settings without effect, by what they are called and why."""
    return place.problem(
        "CH0510",
        f"ignored here: {', '.join(f'`{name}`' for name in names)}",
        note="\n".join(reasons),
        help="nothing fails for it; `chainctl explain CH0510` says what to write where it matters",
        severity="warning",
    )


def _problem(uses: list[tuple[Span, str, list[str]]]) -> Problem:
    users: dict[str, list[str]] = {}
    for _, cls, names in uses:
        for name in names:
            users.setdefault(name, []).append(cls)
    told = [f"`{name}` of {', '.join(who)}: {REASONS[name]}" for name, who in users.items()]
    return ignored_problem(uses[0][0], users, told)


def _written(config: RemoteConfig) -> list[str]:
    """The names of what a configuration holds that has no effect, in the order of the table."""
    image, assets, options = config.docker_image, config.assets, config.options
    base = image.base_image
    written = {
        "docker_auth": isinstance(base, CustomImage) and base.docker_auth is not None,
        "truss_server_version_override": image.truss_server_version_override is not None,
        "truss": any(requirement_name(text) == "truss" for text in image.pip_requirements),
        "instance_type": config.compute.instance_type is not None,
        "cached": bool(assets.cached),
        "external_data": bool(assets.external_data),
        "weights": bool(assets.weights),
        "enable_b10_tracing": options.enable_b10_tracing,
        "streaming_read_timeout": "streaming_read_timeout" in options.model_fields_set,
    }
    return [name for name, is_written in written.items() if is_written]
