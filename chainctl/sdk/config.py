"""What a chainlet asks for: image, compute, assets, options. All values are frozen."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Mapping
from typing import Any, Literal, Optional, TypeVar, Union

import pydantic

from chainctl.errors import ChainsUsageError
from chainctl.sdk.frozen import FrozenModel, ListOf, StrDict
from chainctl.sdk.paths import AbsPath

DEFAULT_TIMEOUT_SEC = 600.0
DEFAULT_CONCURRENCY_LIMIT = 300
MOST_REPLICAS = 20
"""Of one chainlet: a front door has places for as many of two releases, and some to spare."""

_MEMORY = re.compile(r"^(\d+(?:\.\d+)?)([KMGTP]i?)?B?$")
_UNITS = {
    suffix: base**power
    for base, mark in ((1000, ""), (1024, "i"))
    for power, suffix in enumerate((f"K{mark}", f"M{mark}", f"G{mark}", f"T{mark}", f"P{mark}"), 1)
}
_GPU = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ .-]*(:[1-9]\d*)?")


class BasetenImage(enum.Enum):
    """The default image for a Python version."""

    PY39 = "py39"
    PY310 = "py310"
    PY311 = "py311"
    PY312 = "py312"
    PY313 = "py313"
    PY314 = "py314"

    @property
    def python_version(self) -> str:
        """The version in dotted form, such as "3.11"."""
        return f"3.{self.value[3:]}"


class CustomImage(FrozenModel):
    """An image of the user's own as base: Debian-like, with Python in it.

    `python_executable_path` is looked up on the image's PATH as `python3` when not given.
    """

    image: str
    python_executable_path: Optional[str] = None
    docker_auth: Optional[Any] = None


def _legacy_base_image(value: object) -> object:
    """A text is the name of an image, but for those that stand for a default image, as in JSON."""
    if not isinstance(value, str):
        return value
    known = {image.value: image for image in BasetenImage}
    return known.get(value) or CustomImage(image=value)


class DockerImage(FrozenModel):
    """What is installed and copied into a chainlet's image.

    `requirements_file` is a pip requirements file, a `pyproject.toml` or a `uv.lock`, told apart by
    name. `pip_requirements` are added to a pip file, but cannot go with the other two.
    `data_dir` appears in the container as `context.data_dir`; the contents of
    `external_package_dirs` are importable there.
    """

    base_image: Union[BasetenImage, CustomImage] = BasetenImage.PY311
    pip_requirements_file: Optional[AbsPath] = None
    pip_requirements: ListOf[str] = ListOf()
    apt_requirements: ListOf[str] = ListOf()
    requirements_file: Optional[AbsPath] = None
    data_dir: Optional[AbsPath] = None
    external_package_dirs: Optional[ListOf[AbsPath]] = None
    truss_server_version_override: Optional[str] = None

    _accept_string = pydantic.field_validator("base_image", mode="before")(_legacy_base_image)

    @pydantic.model_validator(mode="after")
    def _one_requirements_file(self) -> DockerImage:
        if self.pip_requirements_file and self.requirements_file:
            raise ValueError("give `requirements_file` or `pip_requirements_file`, not both")
        kind = os.path.basename(str(self.requirements_file or ""))  # noqa: PTH119  # text, not a file
        if kind in ("pyproject.toml", "uv.lock") and self.pip_requirements:
            raise ValueError(f"`pip_requirements` cannot be combined with a {kind}: add them there")
        return self


class Compute(FrozenModel):
    """The resources of one replica; memory and CPUs are hard limits.

    `gpu_memory` is what it needs of each GPU: others may have the rest. Without it a GPU is its own.

    `memory` is a Kubernetes quantity ("512Mi", "2Gi"). `predict_concurrency` bounds concurrent
    runs of `run_remote`. Left alone, a sync chainlet runs one call at a time (its model may not
    be thread-safe) and an async one is not bounded here. `replicas` is how many run of it;
    `chainctl scale` asks for another number, which holds until the one written here changes.

    With `max_replicas` their number follows the load, from `min_replicas` (0 lets the chainlet sleep) on:
    as many as give each `target_concurrency` calls under way or waiting, which are its `predict_concurrency`,
    or 1, when not given. `scale_down_delay` is how many seconds fewer must be enough before there are fewer.
    `node_labels` are those of the machines of a cluster that it may run on.
    """

    cpu_count: int = pydantic.Field(default=1, ge=1)
    memory: str = "2Gi"
    gpu: Optional[str] = None
    gpu_count: int = pydantic.Field(default=1, ge=1)
    gpu_memory: Optional[str] = None
    predict_concurrency: Union[int, Literal["cpu_count"]] = 1
    instance_type: Optional[str] = None
    replicas: int = pydantic.Field(default=1, ge=1, le=MOST_REPLICAS)
    min_replicas: Optional[int] = pydantic.Field(default=None, ge=0, le=MOST_REPLICAS)
    max_replicas: Optional[int] = pydantic.Field(default=None, ge=1, le=MOST_REPLICAS)
    target_concurrency: Optional[int] = pydantic.Field(default=None, ge=1)
    scale_down_delay: float = pydantic.Field(default=60.0, ge=0)
    node_labels: StrDict = StrDict()

    @pydantic.field_validator("memory", "gpu_memory")
    @classmethod
    def _is_quantity(cls, value: Optional[str]) -> Optional[str]:
        if value is not None:
            parse_memory(value)
        return value

    @pydantic.field_validator("gpu", mode="before")
    @classmethod
    def _is_gpu(cls, value: object) -> object:
        value = value.value if isinstance(value, enum.Enum) else value
        if isinstance(value, str) and not _GPU.fullmatch(value):
            raise ValueError(f"{value!r} does not look like a GPU type, such as 'T4' or 'H100'")
        return value

    @pydantic.model_validator(mode="after")
    def _positive_concurrency(self) -> Compute:
        if isinstance(self.predict_concurrency, int) and self.predict_concurrency < 1:
            raise ValueError("`predict_concurrency` is at least 1")
        return self

    @pydantic.model_validator(mode="after")
    def _bounds_of_replicas(self) -> Compute:
        least, most = self.min_replicas, self.max_replicas
        if most is None:
            for name in ("min_replicas", "target_concurrency"):
                if getattr(self, name) is not None:
                    raise ValueError(
                        f"`{name}` needs `max_replicas`: without, the number of replicas is fixed"
                    )
        elif least is not None and least > most:
            raise ValueError("`min_replicas` is at most `max_replicas`")
        elif "replicas" in self.model_fields_set and not (least or 0) <= self.replicas <= most:
            raise ValueError(
                "`replicas`, how many there are at first, is from `min_replicas` to `max_replicas`"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _memory_of_a_gpu(self) -> Compute:
        if self.gpu_memory is not None and self.gpu is None:
            raise ValueError('`gpu_memory` needs a `gpu`: name its type, or "any"')
        return self

    @property
    def first_replicas(self) -> int:
        """How many there are at first: one at least, as a release serves only once it has been ready."""
        if self.max_replicas is None:
            return self.replicas
        return min(max(self.replicas, self.min_replicas or 1), self.max_replicas)

    @property
    def memory_bytes(self) -> int:
        return parse_memory(self.memory)

    @property
    def gpu_memory_bytes(self) -> Optional[int]:
        return None if self.gpu_memory is None else parse_memory(self.gpu_memory)

    @property
    def concurrency(self) -> Optional[int]:
        """The bound that the user wrote down, None where nothing was written."""
        if "predict_concurrency" not in self.model_fields_set:
            return None
        value = self.predict_concurrency
        return self.cpu_count if value == "cpu_count" else value


def parse_memory(text: str) -> int:
    """Turn a memory quantity into bytes. Raises ValueError."""
    match = _MEMORY.match(text.strip())
    if not match:
        raise ValueError(f"{text!r} is no amount of memory: write it as '512Mi' or '2Gi'")
    amount = int(float(match[1]) * _UNITS.get(match[2] or "", 1))
    if amount <= 0:
        raise ValueError(f"{text!r} is no memory at all: write it as '512Mi' or '2Gi'")
    return amount


class Volume(FrozenModel):
    """One file that is at `dest/filename` when the chainlet starts, as a `Download` declares it.

    `source` is a URL or a path; `secret_key` names the secret that is sent to its server as bearer token.
    """

    name: str
    source: str
    sha256: str
    dest: str
    filename: str
    secret_key: Optional[str] = None


class Assets(FrozenModel):
    """What a chainlet may read at run time; `secret_keys` become files that only it sees.

    `volumes` takes `Download`s: their files are read-only.
    """

    cached: ListOf[Any] = ListOf()
    secret_keys: ListOf[str] = ListOf()
    external_data: ListOf[Any] = ListOf()
    weights: ListOf[Any] = ListOf()
    volumes: ListOf[Volume] = ListOf()

    @pydantic.field_validator("volumes", mode="before")
    @classmethod
    def _are_volumes(cls, value: Any) -> Any:
        """Take what knows its volume, as a `Download` does, for that volume."""
        is_listed = isinstance(value, (list, tuple))
        return [getattr(one, "volume", one) for one in value] if is_listed else value

    @pydantic.field_validator("volumes")
    @classmethod
    def _are_apart(cls, value: ListOf[Volume]) -> ListOf[Volume]:
        """Check that no two volumes want one name or one place. Raises ValueError."""
        for what, seen in (("name", [v.name for v in value]), ("dest", [v.dest for v in value])):
            twice = sorted({one for one in seen if seen.count(one) > 1})
            if twice:
                raise ValueError(f"two volumes have the {what} {twice[0]!r}: give each its own")
        return value

    @pydantic.field_validator("secret_keys")
    @classmethod
    def _are_file_names(cls, value: ListOf[str]) -> ListOf[str]:
        return _secret_keys(value)


def _secret_keys(value: ListOf[str]) -> ListOf[str]:
    """Check that secrets can be names of files. Raises ValueError."""
    for key in value:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", key):
            raise ValueError(f"secret key {key!r}: use letters, digits, `_`, `.` and `-`")
    return value


class HealthChecks(FrozenModel):
    """How long a service may take to start and to be away. Seconds; None is the default."""

    restart_check_delay_seconds: Optional[int] = None
    restart_threshold_seconds: Optional[int] = None
    stop_traffic_threshold_seconds: Optional[int] = None
    startup_threshold_seconds: Optional[int] = None


class HTTPOptions(FrozenModel):
    """Calls come as HTTP requests: the default."""

    kind: Literal["http"] = "http"

    @pydantic.model_validator(mode="after")
    def _kind_is_written(self) -> HTTPOptions:
        return _with_kind(self)


class WebsocketOptions(FrozenModel):
    """Calls come as websocket connections; idle ones are kept alive by pings. Seconds; None is the default."""

    kind: Literal["websocket"] = "websocket"
    ping_interval_seconds: Optional[float] = pydantic.Field(default=None, gt=0)
    ping_timeout_seconds: Optional[float] = pydantic.Field(default=None, gt=0)

    @pydantic.model_validator(mode="after")
    def _kind_is_written(self) -> WebsocketOptions:
        return _with_kind(self)


TransportT = TypeVar("TransportT", HTTPOptions, WebsocketOptions)


def _with_kind(options: TransportT) -> TransportT:
    """Count `kind` among what the user wrote, so that it is in the JSON form that tells the two apart."""
    options.model_fields_set.add("kind")
    return options


class ChainletOptions(FrozenModel):
    """Options of a running chainlet.

    `max_body_bytes` bounds the body of one call. `queue_limit` bounds the calls that wait for
    their turn; more are answered 503 at once. None is the server's own limit.
    """

    enable_b10_tracing: bool = False
    enable_debug_logs: bool = False
    env_variables: StrDict = StrDict()
    health_checks: HealthChecks = HealthChecks()
    metadata: Optional[Any] = None
    streaming_read_timeout: int = 60
    transport: Optional[Union[HTTPOptions, WebsocketOptions]] = None
    max_body_bytes: Optional[int] = pydantic.Field(default=None, ge=1)
    queue_limit: Optional[int] = pydantic.Field(default=None, ge=0)


class RPCOptions(FrozenModel):
    """How a dependency is called.

    `retries` counts attempts in total: 1 is a single attempt. `timeout_sec` bounds the whole
    call. `concurrency_limit` bounds the calls under way from one caller. An `idempotent` call may
    be repeated after the other side may have begun to work on it. `hedge_after_sec` sends a second
    attempt when no answer came in that time; the first answer counts, and the call must be
    idempotent. With `circuit_breaker`, calls to a service that keeps failing fail at once for a while.
    """

    retries: int = pydantic.Field(default=1, ge=1)
    timeout_sec: float = pydantic.Field(default=DEFAULT_TIMEOUT_SEC, gt=0)
    use_binary: bool = False
    concurrency_limit: int = pydantic.Field(default=DEFAULT_CONCURRENCY_LIMIT, ge=1)
    idempotent: bool = False
    hedge_after_sec: Optional[float] = pydantic.Field(default=None, gt=0)
    circuit_breaker: bool = False

    @pydantic.model_validator(mode="after")
    def _hedges_what_may_repeat(self) -> RPCOptions:
        if self.hedge_after_sec is not None and not self.idempotent:
            raise ValueError(
                "`hedge_after_sec` makes a call twice, so it needs `idempotent=True`: write that"
                " where a call may run twice without harm"
            )
        return self


class RemoteConfig(FrozenModel):
    """All that a chainlet asks of the place where it runs.

    `build_commands` run before its code is copied. While one runs, each secret of `build_secret_keys` is
    in the file `/run/secrets/NAME`; it is in no image. With the `strategy` "replace" a new service is
    started beside the old one, with "recreate" after that has ended; None is "replace" as long as the
    engine holds both.
    """

    docker_image: DockerImage = DockerImage()
    compute: Compute = Compute()
    assets: Assets = Assets()
    name: Optional[str] = None
    options: ChainletOptions = ChainletOptions()
    build_commands: ListOf[str] = ListOf()
    build_secret_keys: ListOf[str] = ListOf()
    strategy: Optional[Literal["replace", "recreate"]] = None

    @pydantic.field_validator("build_secret_keys")
    @classmethod
    def _are_file_names(cls, value: ListOf[str]) -> ListOf[str]:
        return _secret_keys(value)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RemoteConfig:
        """Rebuild a config from its JSON form. Raises ChainsUsageError when it is none."""
        try:
            return cls.model_validate(data, strict=False)
        except pydantic.ValidationError as error:
            raise ChainsUsageError(f"this is no chainlet configuration: {error}") from error
