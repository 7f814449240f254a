"""The configuration of a Truss directory in; the RemoteConfig that images and services are made from out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chainctl.graph.truss_directory.findings import CONFIG
from chainctl.graph.truss_directory.keys import WEBSOCKET
from chainctl.graph.truss_directory.texts import gpus, whole_cpus
from chainctl.sdk.config import (
    Assets,
    BasetenImage,
    ChainletOptions,
    Compute,
    CustomImage,
    DockerImage,
    HealthChecks,
    HTTPOptions,
    RemoteConfig,
    WebsocketOptions,
)
from chainctl.sdk.paths import AbsPath


def remote_config_of(root: Path, config: Mapping[str, Any], *, has_transport: bool) -> RemoteConfig:
    """Translate a configuration without problems. `has_transport` where somebody wrote one."""
    return RemoteConfig(
        docker_image=_image(root, config),
        compute=_compute(config),
        assets=Assets(secret_keys=sorted(config["secrets"])),
        options=_options(config, has_transport=has_transport),
        build_commands=config["build_commands"],
        build_secret_keys=sorted(config["build"]["secret_to_path_mapping"]),
    )


def completed(config: Mapping[str, Any], *, has_transport: bool) -> dict[str, Any]:
    """Add what follows from other values, as a model is given it."""
    runtime, resources = dict(config["runtime"]), dict(config["resources"])
    del runtime["num_workers"]
    transport = dict(runtime["transport"])
    if runtime["is_websocket_endpoint"] and not has_transport:
        transport["kind"] = WEBSOCKET
    is_websocket = transport["kind"] == WEBSOCKET
    runtime["transport"] = transport if is_websocket else {"kind": transport["kind"]}
    runtime["is_websocket_endpoint"] = is_websocket
    resources["use_gpu"] = resources["accelerator"] is not None
    return {**config, "runtime": runtime, "resources": resources}


def package_directories(root: Path, config: Mapping[str, Any]) -> Iterator[AbsPath]:
    """Yield the directories whose contents a model can import: its own, then those elsewhere."""
    own = path_in(root, config["bundled_packages_dir"])
    if is_directory(own):
        yield own
    yield from (path_in(root, name) for name in config["external_package_dirs"])


def path_in(root: Path, written: str) -> AbsPath:
    """A path of a configuration: relative to its directory."""
    absolute = Path(root, written)
    return AbsPath(str(absolute.resolve()), created_in=str(root / CONFIG), original=written)


def is_directory(path: AbsPath) -> bool:
    """Say whether there is a directory; there is none under a name that no file can have."""
    return os.path.isdir(path)  # noqa: PTH112  # unlike pathlib's, it takes any text for a name


def _image(root: Path, config: Mapping[str, Any]) -> DockerImage:
    file = config["requirements_file"]
    data = path_in(root, config["data_dir"])
    packages = list(package_directories(root, config))
    return DockerImage(
        base_image=_base(config),
        pip_requirements=config["requirements"],
        apt_requirements=config["system_packages"],
        requirements_file=path_in(root, file) if file else None,
        data_dir=data if is_directory(data) else None,
        external_package_dirs=packages or None,
    )


def _base(config: Mapping[str, Any]) -> BasetenImage | CustomImage:
    base = config["base_image"]
    if base is None:
        return BasetenImage(config["python_version"])
    return CustomImage(image=base["image"], python_executable_path=base["python_executable_path"] or None)


def _compute(config: Mapping[str, Any]) -> Compute:
    """How much a model gets: a part of a CPU counts as a whole one, and its concurrency is always bounded."""
    resources = config["resources"]
    model, count = gpus(resources["accelerator"]) or (None, 1)
    return Compute(
        cpu_count=whole_cpus(resources["cpu"]),
        memory=resources["memory"],
        gpu=model,
        gpu_count=count,
        predict_concurrency=config["runtime"]["predict_concurrency"],
    )


def _options(config: Mapping[str, Any], *, has_transport: bool) -> ChainletOptions:
    runtime = config["runtime"]
    health = {name: value for name, value in runtime["health_checks"].items() if value is not None}
    return ChainletOptions(
        env_variables=config["environment_variables"],
        enable_debug_logs=runtime["enable_debug_logs"],
        health_checks=HealthChecks(**health),
        transport=_transport(runtime["transport"]) if has_transport else None,
    )


def _transport(written: Mapping[str, Any]) -> HTTPOptions | WebsocketOptions:
    if written["kind"] != WEBSOCKET:
        return HTTPOptions()
    interval, timeout = (written[f"ping_{name}_seconds"] for name in ("interval", "timeout"))
    return WebsocketOptions(ping_interval_seconds=_float(interval), ping_timeout_seconds=_float(timeout))


def _float(seconds: float | None) -> float | None:
    return None if seconds is None else float(seconds)
