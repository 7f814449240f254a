"""What a chainlet asks for: defaults, what is accepted, what is not."""

from __future__ import annotations

import contextlib
import enum
import json
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainctl as chains
from chainctl.sdk.config import Volume, parse_memory

WEIGHTS = Volume(
    name="weights", source="https://host/w.bin", sha256="0" * 64, dest="/models", filename="w.bin"
)


@pytest.mark.parametrize(
    ("value", "defaults"),
    [
        (
            chains.DockerImage(),
            {
                "base_image": chains.BasetenImage.PY311,
                "pip_requirements_file": None,
                "pip_requirements": [],
                "apt_requirements": [],
                "requirements_file": None,
                "data_dir": None,
                "external_package_dirs": None,
                "truss_server_version_override": None,
            },
        ),
        (
            chains.Compute(),
            {
                "cpu_count": 1,
                "memory": "2Gi",
                "gpu": None,
                "gpu_count": 1,
                "gpu_memory": None,
                "predict_concurrency": 1,
                "replicas": 1,
                "min_replicas": None,
                "max_replicas": None,
                "target_concurrency": None,
                "scale_down_delay": 60.0,
                "node_labels": {},
                "instance_type": None,
            },
        ),
        (
            chains.Assets(),
            {"cached": [], "secret_keys": [], "external_data": [], "weights": [], "volumes": []},
        ),
        (
            chains.ChainletOptions(),
            {
                "enable_b10_tracing": False,
                "enable_debug_logs": False,
                "env_variables": {},
                "health_checks": chains.HealthChecks(),
                "metadata": None,
                "streaming_read_timeout": 60,
                "transport": None,
                "max_body_bytes": None,
                "queue_limit": None,
            },
        ),
        (
            chains.RPCOptions(),
            {
                "retries": 1,
                "timeout_sec": 600.0,
                "use_binary": False,
                "concurrency_limit": 300,
                "idempotent": False,
                "hedge_after_sec": None,
                "circuit_breaker": False,
            },
        ),
        (
            chains.RemoteConfig(),
            {
                "docker_image": chains.DockerImage(),
                "compute": chains.Compute(),
                "assets": chains.Assets(),
                "name": None,
                "options": chains.ChainletOptions(),
                "build_commands": [],
                "build_secret_keys": [],
                "strategy": None,
            },
        ),
        (
            chains.HealthChecks(),
            {
                "restart_check_delay_seconds": None,
                "restart_threshold_seconds": None,
                "stop_traffic_threshold_seconds": None,
                "startup_threshold_seconds": None,
            },
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_defaults(value: pydantic.BaseModel, defaults: dict[str, Any]) -> None:
    """The defaults are those of the older API where it has the field."""
    assert {name: getattr(value, name) for name in type(value).model_fields} == defaults


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: chains.RPCOptions(retries="3"), "retries"),  # type: ignore[arg-type]  # the point
        (lambda: chains.RPCOptions(retries=0), "greater than or equal to 1"),
        (lambda: chains.RPCOptions(timeout_sec=0), "greater than 0"),
        (lambda: chains.RPCOptions(concurrency_limit=0), "greater than or equal to 1"),
        (lambda: chains.RPCOptions(hedge_after_sec=1), "idempotent=True"),
        (lambda: chains.RPCOptions(hedge_after_sec=0, idempotent=True), "greater than 0"),
        (lambda: chains.ChainletOptions(max_body_bytes=0), "greater than or equal to 1"),
        (lambda: chains.ChainletOptions(queue_limit=-1), "greater than or equal to 0"),
        (lambda: chains.WebsocketOptions(ping_interval_seconds=0), "greater than 0"),
        (lambda: chains.RPCOptions(foo=1), "foo"),  # type: ignore[call-arg]  # the point
        (lambda: chains.RemoteConfig(nme="a"), "nme"),  # type: ignore[call-arg]  # the point
        (lambda: chains.Compute(cpu_count=0), "greater than or equal to 1"),
        (lambda: chains.Compute(gpu_count=0), "greater than or equal to 1"),
        (lambda: chains.Compute(predict_concurrency=0), "at least 1"),
        (lambda: chains.Compute(min_replicas=0), "needs `max_replicas`"),
        (lambda: chains.Compute(target_concurrency=2), "needs `max_replicas`"),
        (lambda: chains.Compute(min_replicas=3, max_replicas=2), "at most `max_replicas`"),
        (lambda: chains.Compute(replicas=5, max_replicas=2), "how many there are at first"),
        (lambda: chains.Compute(max_replicas=0), "greater than or equal to 1"),
        (lambda: chains.Compute(predict_concurrency="many"), "predict_concurrency"),  # type: ignore[arg-type]  # too
        (lambda: chains.Compute(memory="lots"), "no amount of memory"),
        (lambda: chains.Compute(memory="0Gi"), "no memory at all"),
        (lambda: chains.Compute(gpu="A 100; rm"), "GPU type"),
        (lambda: chains.Assets(secret_keys=["../x"]), "secret key"),
        (lambda: chains.Assets(volumes=[WEIGHTS, WEIGHTS.model_copy(update={"dest": "/b"})]), "two volumes"),
        (lambda: chains.Assets(volumes=[WEIGHTS, WEIGHTS.model_copy(update={"name": "b"})]), "two volumes"),
        (lambda: chains.Assets(volumes=["/models"]), "volumes"),  # type: ignore[list-item]  # the point
        (lambda: chains.RemoteConfig(build_secret_keys=["a,required=false"]), "secret key"),
        (lambda: chains.RemoteConfig(build_secret_keys=["a\n"]), "secret key"),
        (lambda: chains.DockerImage(pip_requirements="torch"), "pip_requirements"),  # type: ignore[arg-type]  # too
        (lambda: chains.DockerImage(requirements_file="a.txt"), "make_abs_path_here"),  # type: ignore[arg-type]  # too
    ],
)
def test_refused_values(make: Any, message: str) -> None:
    """A value of another type, out of range or of an unknown field is refused, with its name."""
    with pytest.raises(pydantic.ValidationError, match=message):
        make()


def test_lists_take_any_iterable() -> None:
    """Lists, tuples and generators make the same list."""
    made = [
        chains.DockerImage(pip_requirements=value)  # type: ignore[arg-type]  # what users write
        for value in (["a", "b"], ("a", "b"), (x for x in "ab"))
    ]
    assert made[0] == made[1] == made[2]
    assert made[0].pip_requirements == ["a", "b"]
    assert {type(value.pip_requirements).__name__ for value in made} == {"FrozenList"}


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("512Mi", 512 * 2**20),
        ("2Gi", 2 * 2**30),
        ("1.5Gi", 3 * 2**29),
        ("2G", 2 * 10**9),
        ("100M", 10**8),
        ("1GiB", 2**30),
        ("1024", 1024),
        (" 1Ti ", 2**40),
        ("3K", 3000),
        ("1Pi", 2**50),
    ],
)
def test_memory(text: str, amount: int) -> None:
    """A memory quantity is read as Kubernetes reads it."""
    assert parse_memory(text) == amount
    assert chains.Compute(memory=text).memory_bytes == amount


@pytest.mark.parametrize("text", ["", "Gi", "-1Gi", "1 Gi", "1gi", "2GiGi", "1e3", "0", "0.0001"])
def test_memory_that_is_none(text: str) -> None:
    """What is no quantity is refused with an example of one."""
    with pytest.raises(ValueError, match="512Mi"):
        parse_memory(text)


@given(st.from_regex(r"\s?[0-9.]{0,5}[KMGTPi]{0,3}B?", fullmatch=True))
def test_memory_never_fails_otherwise(text: str) -> None:
    """Whatever the text, the answer is a positive number of bytes or a ValueError."""
    with contextlib.suppress(ValueError):
        assert parse_memory(text) > 0


def test_concurrency_is_what_was_written() -> None:
    """Only a written bound is one: left alone, the kind of chainlet decides."""
    assert chains.Compute().concurrency is None
    assert chains.Compute(predict_concurrency=1).concurrency == 1
    assert chains.Compute(predict_concurrency="cpu_count", cpu_count=4).concurrency == 4


@pytest.mark.parametrize(
    "transport",
    [None, chains.HTTPOptions(), chains.WebsocketOptions(), chains.WebsocketOptions(ping_timeout_seconds=3)],
)
def test_transport_survives_its_json_form(transport: Any) -> None:
    """The kind is always written, so that options without any field keep their class."""
    config = chains.RemoteConfig(options=chains.ChainletOptions(transport=transport))
    written = json.loads(config.model_dump_json(exclude_unset=True))
    assert chains.RemoteConfig.from_json(written) == config


def test_gpu_may_be_an_enum() -> None:
    """The older API names GPUs by an enum; its values are texts."""

    class Accelerator(enum.Enum):
        H100 = "H100"

    assert chains.Compute(gpu=Accelerator.H100).gpu == "H100"  # type: ignore[arg-type]  # what users write


def test_base_image_may_be_a_name() -> None:
    """An image's name stands for a custom image."""
    image = chains.DockerImage(base_image="python:3.12")  # type: ignore[arg-type]  # what users write
    assert image.base_image == chains.CustomImage(image="python:3.12")


@pytest.mark.parametrize("image", chains.BasetenImage)
def test_default_images_come_back_from_json(image: chains.BasetenImage) -> None:
    """The JSON form names them by a text, which is no image of the user's own."""
    config = chains.RemoteConfig(docker_image=chains.DockerImage(base_image=image))
    data = json.loads(config.model_dump_json(exclude_unset=True))
    assert chains.RemoteConfig.from_json(data).docker_image.base_image is image
    assert chains.BasetenImage.PY312.python_version == "3.12"


def test_requirements_files_exclude_each_other() -> None:
    """One requirements file is enough, and a project file lists its own requirements."""
    one, project = Path("/a/one.txt"), Path("/a/pyproject.toml")
    with pytest.raises(pydantic.ValidationError, match="not both"):
        chains.DockerImage(requirements_file=one, pip_requirements_file=one)  # type: ignore[arg-type]  # a Path will do
    with pytest.raises(pydantic.ValidationError, match=r"combined with a pyproject\.toml"):
        chains.DockerImage(requirements_file=project, pip_requirements=["a"])  # type: ignore[arg-type]  # too
    chains.DockerImage(requirements_file=one, pip_requirements=["a"])  # type: ignore[arg-type]  # too


def test_json_form_round_trip() -> None:
    """A configuration survives its JSON form, and only what was written is in it."""
    config = chains.RemoteConfig(
        name="worker",
        docker_image=chains.DockerImage(
            base_image=chains.CustomImage(image="a:b"),
            pip_requirements=["x"],
            data_dir=chains.make_abs_path_here("data"),
            external_package_dirs=[chains.make_abs_path_here("/a/b")],
        ),
        compute=chains.Compute(gpu="T4", predict_concurrency="cpu_count"),
        options=chains.ChainletOptions(env_variables={"A": "b"}, metadata={"x": [1]}),
        build_commands=["true"],
    )
    data = config.model_dump(mode="json", exclude_unset=True)
    assert data["compute"] == {"gpu": "T4", "predict_concurrency": "cpu_count"}
    assert chains.RemoteConfig.from_json(data) == config


def test_json_form_that_is_none() -> None:
    """Anything else than a configuration's JSON form is refused as such."""
    with pytest.raises(chains.ChainsUsageError, match="no chainlet configuration"):
        chains.RemoteConfig.from_json({"compute": 3})


def test_what_declares_a_volume_stands_for_it() -> None:
    """And it survives the way to the command as JSON."""

    class Declared:
        volume = WEIGHTS

    config = chains.RemoteConfig(assets=chains.Assets(volumes=[Declared()]))  # type: ignore[list-item]  # validated
    assert config.assets.volumes == [WEIGHTS]
    assert chains.RemoteConfig.from_json(json.loads(config.model_dump_json())) == config


def test_memory_of_a_gpu_is_an_amount_of_some_gpu() -> None:
    """So much of each device, where it is not to have all of it."""
    assert chains.Compute(gpu="L4", gpu_memory="10Gi").gpu_memory_bytes == 10 << 30
    assert chains.Compute(gpu="L4").gpu_memory_bytes is None
    with pytest.raises(ValueError, match="needs a `gpu`"):
        chains.Compute(gpu_memory="10Gi")
    with pytest.raises(ValueError, match="no amount of memory"):
        chains.Compute(gpu="L4", gpu_memory="much")
