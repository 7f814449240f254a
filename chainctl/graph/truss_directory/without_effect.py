"""A configuration in; one warning of all in it that only a hosted platform does, with the reasons, out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from chainctl.errors import Problem
from chainctl.graph.ignored import REASONS, ignored_problem
from chainctl.graph.requirements import requirement_name
from chainctl.graph.truss_directory.agreement import place_of
from chainctl.graph.truss_directory.nodes import Table
from chainctl.sdk.locate import Span

_Config: TypeAlias = Mapping[str, Any]
_MACHINES = "there is no catalogue of machines: `cpu`, `memory` and `accelerator` are what counts"
_ENGINE = "only the platform that it was written for builds the engine: the model is served by its own code"
_SECRET_FILES = "/run/secrets/"


def _written(*path: str) -> Callable[[_Config], bool]:
    """Whether a value says anything: `enabled: false` does not."""

    def is_written(config: _Config) -> bool:
        value: Any = config
        for name in path:
            value = value[name] if value else None
        return any(value.values()) if isinstance(value, Mapping) else bool(value)

    return is_written


def _asks_for_truss(config: _Config) -> bool:
    return any(requirement_name(text) == "truss" for text in config["requirements"])


def _asks_for_any_gpu(config: _Config) -> bool:
    return bool(config["resources"]["use_gpu"]) and not config["resources"]["accelerator"]


def _has_other_server(config: _Config) -> bool:
    return str(config["build"]["model_server"]) != "TrussServer"


def _maps_secrets_elsewhere(config: _Config) -> bool:
    paths = config["build"]["secret_to_path_mapping"]
    return any(path != _SECRET_FILES + name for name, path in paths.items())


_TABLE: dict[str, tuple[Callable[[_Config], bool], str]] = {
    "base_image.docker_auth": (_written("base_image", "docker_auth"), REASONS["docker_auth"]),
    "requirements: truss": (_asks_for_truss, "chainctl has what a model's files import of it"),
    "resources.instance_type": (_written("resources", "instance_type"), _MACHINES),
    "resources.node_count": (_written("resources", "node_count"), "a model runs on one machine"),
    "resources.fabric": (_written("resources", "fabric"), "there is no fabric between machines"),
    "resources.use_gpu": (_asks_for_any_gpu, "it says not which: `accelerator` does"),
    "runtime.enable_tracing_data": (
        _written("runtime", "enable_tracing_data"),
        REASONS["enable_b10_tracing"],
    ),
    "runtime.oidc": (_written("runtime", "oidc"), "no platform issues tokens to services"),
    "runtime.remote_ssh": (_written("runtime", "remote_ssh"), "`docker exec` opens a shell in a container"),
    "runtime.egress_restrictions": (
        _written("runtime", "egress_restrictions"),
        "what a container may reach is up to the engine's networks: nothing is blocked",
    ),
    "runtime.truss_server_version_override": (
        _written("runtime", "truss_server_version_override"),
        REASONS["truss_server_version_override"],
    ),
    "build.model_server": (_has_other_server, "chainctl's own server is in every image"),
    "build.arguments": (_written("build", "arguments"), "chainctl's own server is in every image"),
    "build.secret_to_path_mapping": (
        _maps_secrets_elsewhere,
        f"while a build command runs, a secret is in {_SECRET_FILES}NAME, and at no other path",
    ),
    "docker_server.no_build": (
        _written("docker_server", "no_build"),
        "an image is built on it all the same, as chainctl's server stands before the image's",
    ),
    "weights": (
        _written("weights"),
        "no platform mirrors weights: `model_cache` and `external_data` bring files",
    ),
    "trt_llm": (_written("trt_llm"), _ENGINE),
    "bis_llm": (_written("bis_llm"), _ENGINE),
    "training_checkpoints": (_written("training_checkpoints"), "no platform trained a model"),
    "cache_internal": (_written("cache_internal"), "no platform caches weights"),
    "live_reload": (_written("live_reload"), "`chainctl watch` brings edits to any model"),
}
"""When a key says something that has no effect here, and why it has none."""


def without_effect(tree: Table, config: _Config, path: str) -> Iterator[Problem]:
    """Warn once, at the first of what is ignored."""
    names = [name for name, (is_written, _) in _TABLE.items() if is_written(config)]
    if not names:
        return
    places = [place_of(tree, *name.partition(":")[0].split(".")) for name in names]
    first = min(places, key=lambda place: (place.line, place.column))
    span = Span(path, first.line, first.column, first.end_column)
    yield ignored_problem(span, names, [f"`{name}`: {_TABLE[name][1]}" for name in names])
