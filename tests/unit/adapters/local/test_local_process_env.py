"""What is in the environment of a service process, and what is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from chainctl.adapters.local.paths import LocalPaths
from chainctl.adapters.local.process_env import process_env
from chainctl.deploy.release import Call, Fingerprint, Resources, SecretRef, ServiceSpec

RUN = LocalPaths.of(
    Path("/state"), xdg_runtime_dir="/login", uid=7, shared_memory=Path("/no/such/place")
).run("demo")
APP = Path("/state/images/demo/a/1/app")


def spec_of(**env: str) -> ServiceSpec:
    return ServiceSpec(
        name="demo-a-12345678",
        chain="demo",
        chainlet="A",
        image="demo/a:1",
        resources=Resources(cpus=2.5, memory_bytes=1, pids=1),
        env=tuple(sorted(env.items())),
        secrets=(SecretRef("KEY", "f"),),
        calls=(Call("Other", "demo-other-12345678"),),
        start_timeout_sec=1.0,
        fingerprint=Fingerprint("i", "c", "d"),
    )


def test_the_whole_environment() -> None:
    """A few variables of the shell, thread counts, the spec's own, then the contract."""
    shell = {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0", "AWS_SECRET_ACCESS_KEY": "no"}
    assert process_env(spec_of(MINE="1"), RUN, APP, shell, {}) == {
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "0",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "3",
        "OPENBLAS_NUM_THREADS": "3",
        "MKL_NUM_THREADS": "3",
        "NUMEXPR_NUM_THREADS": "3",
        "MINE": "1",
        "PYTHONPATH": f"{APP}/code:{APP}/packages:{APP}",
        "CHAINCTL_LISTEN": f"unix:{RUN.socket_of('demo-a-12345678')}",
        "CHAINCTL_SERVICES": json.dumps({"Other": f"unix:{RUN.socket_of('demo-other-12345678')}"}),
        "CHAINCTL_SECRETS_DIR": str(RUN.secrets_of("demo-a-12345678")),
        "CHAINCTL_CONTROL": str(RUN.control_of("demo-a-12345678")),
        "CHAINCTL_CHAIN": "demo",
        "CHAINCTL_SERVICE": "demo-a-12345678",
        "CHAINCTL_CHAINLET": "A",
    }


def test_a_service_is_told_who_may_sleep() -> None:
    """By the names of the chainlets that it calls."""
    spec = spec_of()
    sleeping = replace(spec, calls=tuple(replace(call, may_sleep=True) for call in spec.calls))
    told = process_env(sleeping, RUN, APP, {}, {})
    assert told == {**process_env(spec, RUN, APP, {}, {}), "CHAINCTL_SLEEPERS": '["Other"]'}


def test_where_memory_is_shared_the_service_is_told() -> None:
    """A directory of the chain's own, and how much of its memory the service may put there."""
    run = replace(RUN, shared=Path("/dev/shm/own/demo-shared"))
    spec = replace(spec_of(), resources=Resources(cpus=1, memory_bytes=1 << 20, pids=1))
    env = process_env(spec, run, APP, {}, {})
    assert (
        env.items()
        >= {
            "CHAINCTL_SHARED_DIR": "/dev/shm/own/demo-shared",
            "CHAINCTL_SHARED_BYTES": str(1 << 18),
        }.items()
    )


def test_the_spec_wins_over_the_shell_and_not_over_the_contract() -> None:
    """A chain may set HOME and thread counts; it cannot move its socket or its data, and only adds to the path."""
    env = process_env(
        spec_of(HOME="/h", OMP_NUM_THREADS="1", CHAINCTL_LISTEN="x", PYTHONPATH="/more"),
        RUN,
        APP,
        {"HOME": "/shell", "PYTHONPATH": "/shell"},
        {"weights": Path("/state/data/named/1/w.bin")},
    )
    assert json.loads(env["CHAINCTL_DATA"]) == {"weights": "/state/data/named/1/w.bin"}
    assert (env["HOME"], env["OMP_NUM_THREADS"]) == ("/h", "1")
    assert env["CHAINCTL_LISTEN"].startswith("unix:")
    assert env["PYTHONPATH"] == f"{APP}/code:{APP}/packages:{APP}:/more"
