"""A configuration and what its chainlet's files import in; the same with what a Truss server brings along out.

A file that was written for Truss Chains names no requirement for what is installed there in any case. So
what such a file imports of that, and asks for nowhere, is asked for here; `truss` itself is not installed.
"""

from __future__ import annotations

from collections.abc import Iterable

from packaging.utils import canonicalize_name

from chainctl.graph.imports import Import
from chainctl.graph.requirements import requirement_name, requirement_texts
from chainctl.sdk.config import DockerImage, RemoteConfig
from chainctl.truss.alias import ROOTS

_BROUGHT = {
    "aiofiles": "aiofiles", "aiohttp": "aiohttp", "fastapi": "fastapi", "httpx": "httpx", "joblib": "joblib",
    "loguru": "loguru", "msgpack": "msgpack", "msgpack_numpy": "msgpack-numpy", "numpy": "numpy",
    "opentelemetry": "opentelemetry-sdk", "psutil": "psutil", "pythonjsonlogger": "python-json-logger",
    "requests": "requests", "starlette": "starlette", "tenacity": "tenacity", "websockets": "websockets",
    "yaml": "pyyaml",
}  # fmt: skip
"""Distributions by the modules that they give."""
_NEEDS_NUMPY = "pydantic_numpy"


def with_brought(config: RemoteConfig, imports: Iterable[Import]) -> RemoteConfig:
    """Return the configuration that an image is made from; the very same for a file of chainctl's own."""
    found = list(imports)
    is_for_truss = any(_dotted(one)[0] in ROOTS for one in found)
    return with_brought_by_server(config, found) if is_for_truss else config


def with_brought_by_server(config: RemoteConfig, imports: Iterable[Import]) -> RemoteConfig:
    """Return the configuration for code that a Truss server runs, whatever it imports."""
    modules = [_dotted(one) for one in imports]
    image = config.docker_image
    kept = [text for text in image.pip_requirements if requirement_name(text) != "truss"]
    added = _missing(image, modules) if _takes_requirements(image) else []
    if not added and len(kept) == len(image.pip_requirements):
        return config
    image = image.model_copy(update={"pip_requirements": [*kept, *added]})
    return config.model_copy(update={"docker_image": image})


def _dotted(imported: Import) -> tuple[str, ...]:
    """The parts of a module's name, and the names that are taken from it."""
    return (*imported.module.split("."), *imported.names)


def _takes_requirements(image: DockerImage) -> bool:
    """Whether requirements can stand beside the image's file of them: a whole project has its own."""
    return image.requirements_file is None or image.requirements_file.path.name not in (
        "pyproject.toml",
        "uv.lock",
    )


def _missing(image: DockerImage, modules: Iterable[tuple[str, ...]]) -> list[str]:
    given = {canonicalize_name(requirement_name(text) or "") for text in requirement_texts(image)}
    roots = {"numpy" if module[0] in ROOTS and _NEEDS_NUMPY in module else module[0] for module in modules}
    wanted = {_BROUGHT[root] for root in roots if root in _BROUGHT}
    return sorted(wanted - given)
