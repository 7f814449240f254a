"""A ServiceSpec and where it runs in, the environment of its process out; no secret is in it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

from chainctl.adapters.local.paths import RunPaths
from chainctl.deploy.release import ServiceSpec, replica_of
from chainctl.deploy.shared_memory import shared_bytes

_INHERITED = frozenset(
    ["PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOME", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH"]
)
_INHERITED_PREFIX = "CUDA_"
_THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def inherited_env(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what every process takes over from the shell that chainctl was called from."""
    return {
        name: value
        for name, value in sorted(environ.items())
        if name in _INHERITED or name.startswith(_INHERITED_PREFIX)
    }


def process_env(
    spec: ServiceSpec, run: RunPaths, app: Path, inherited: Mapping[str, str], data: Mapping[str, Path]
) -> dict[str, str]:
    """Return the whole environment; what chainctl says wins over the spec, the spec over the shell.

    `data` has the place of each file that the service reads: here there is no other way to tell it.
    """
    threads = str(max(1, math.ceil(spec.resources.cpus)))
    return {
        **inherited_env(inherited),
        "PYTHONUNBUFFERED": "1",
        **dict.fromkeys(_THREAD_COUNTS, threads),
        **dict(spec.env),
        "PYTHONPATH": _python_path(app, dict(spec.env).get("PYTHONPATH")),
        "CHAINCTL_LISTEN": f"unix:{run.socket_of(spec.name)}",
        "CHAINCTL_SERVICES": json.dumps(_services(spec, run), sort_keys=True),
        "CHAINCTL_SECRETS_DIR": str(run.secrets_of(spec.name)),
        "CHAINCTL_CONTROL": str(run.control_of(spec.name)),
        "CHAINCTL_CHAIN": spec.chain,
        "CHAINCTL_SERVICE": spec.name,
        "CHAINCTL_CHAINLET": spec.chainlet,
        **({"CHAINCTL_DATA": json.dumps({n: str(p) for n, p in sorted(data.items())})} if data else {}),
        **({"CHAINCTL_SLEEPERS": json.dumps(spec.sleepers)} if spec.sleepers else {}),
        **sharing(spec, run),
        **(caching(run.cache_of(spec.cache.name), spec.name) if spec.cache else {}),
    }


def caching(cache: Path, service: str) -> dict[str, str]:
    """Return what says where a service keeps what it fetches, and where its model finds folders of it."""
    return {
        "CHAINCTL_CACHE": str(cache),
        "CHAINCTL_MODEL_CACHE": str(cache / "folders" / replica_of(service)[0]),
        "HF_HUB_CACHE": str(cache / "hub"),
    }


def sharing(spec: ServiceSpec, run: RunPaths) -> dict[str, str]:
    """Return what says through which memory the services of a chain share large buffers."""
    if run.shared is None:
        return {}
    return {
        "CHAINCTL_SHARED_DIR": str(run.shared),
        "CHAINCTL_SHARED_BYTES": str(shared_bytes(spec.resources.memory_bytes)),
    }


def _services(spec: ServiceSpec, run: RunPaths) -> dict[str, str]:
    return {call.chainlet: f"unix:{run.socket_of(call.service)}" for call in spec.calls}


def _python_path(app: Path, wanted: str | None) -> str:
    return os.pathsep.join(
        [str(app / "code"), str(app / "packages"), str(app), *([wanted] if wanted else [])]
    )
