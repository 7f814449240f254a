"""Settings files and environment in; one frozen Settings value, checked, out.

Precedence: options on the command line, environment (`CHAINCTL_*`), the project's
`chainctl.toml` or `[tool.chainctl]` in `pyproject.toml` (looked for upward from the chain file to
the root of its repository), the user's `config.toml`, defaults. In each file, the table of the
chosen environment wins over the rest of it; the table of the chosen target wins over all files.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pydantic
import pydantic_core

from chainctl.cli.environments import layers, variables_in
from chainctl.cli.target_tables import AUTO, KINDS, TABLES, NamedTarget, named_targets
from chainctl.errors import UsageError

_PREFIX = "CHAINCTL_"
# Variables with our prefix that are no settings.
_OTHER = ("CHAINCTL_SECRET_", "CHAINCTL_API_KEY", "CHAINCTL_NO_COLOR", "CHAINCTL_TEST_")


class Settings(pydantic.BaseModel):
    """Everything that can be set. Paths in a file are relative to that file."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    target: str = pydantic.Field(
        AUTO,
        description="where chains run: a kind of target, or a table of yours; "
        "auto is docker when an engine answers, else local",
    )
    docker_host: str | None = pydantic.Field(None, description="engine address, as in DOCKER_HOST")
    docker_context: str | None = pydantic.Field(None, description="name of a docker context")
    kubeconfig: Path | None = pydantic.Field(
        None, description="file that says where the Kubernetes cluster is, as in KUBECONFIG"
    )
    kube_context: str | None = pydantic.Field(None, description="name of a context in it")
    namespace: str = pydantic.Field("default", description="namespace of the cluster that chains are in")
    cluster_domain: str = pydantic.Field("cluster.local", description="what names in the cluster end with")
    ingress_host: str | None = pydantic.Field(
        None,
        description="host under which an Ingress leads to a chain's front door; without it there is none",
    )
    ingress_class: str | None = pydantic.Field(None, description="class of that Ingress")
    ingress_tls_secret: str | None = pydantic.Field(
        None, description="secret in the namespace with the certificate of that Ingress"
    )
    queue_metric: str | None = pydantic.Field(
        None,
        description="metric of pods that counts calls under way or waiting, which replicas follow; CPU when not set",
    )
    image_pull_secret: str | None = pydantic.Field(
        None, description="secret in the namespace with which the cluster's nodes pull images"
    )
    builder: Literal["auto", "buildkit", "classic"] = pydantic.Field(
        "auto", description="what builds images on the engine"
    )
    build_network: str | None = pydantic.Field(
        None, description='network of build steps; "host" uses the engine\'s own'
    )
    base_image: str | None = pydantic.Field(
        None, description='image instead of "python:VERSION-slim"; {version} stands for the version'
    )
    ca_certificates: tuple[Path, ...] = pydantic.Field(
        (), description="PEM files of extra authorities to trust in the images"
    )
    http_proxy: str | None = pydantic.Field(None, repr=False, description="proxy of build steps for http")
    https_proxy: str | None = pydantic.Field(None, repr=False, description="proxy of build steps for https")
    no_proxy: str | None = pydantic.Field(
        None, description="hosts that build steps reach without a proxy, separated by commas"
    )
    apt_mirror: str | None = pydantic.Field(
        None, description="URL in place of http://deb.debian.org for Debian packages in the images"
    )
    platform: str | None = pydantic.Field(
        None,
        description="platform of the images, linux/amd64 or linux/arm64; the engine's own when not set",
    )
    registry: str | None = pydantic.Field(
        None, description="registry that a push publishes images in, as HOST/PREFIX"
    )
    index_url: str | None = pydantic.Field(
        None, description="package index instead of the public one, such as a mirror; without credentials"
    )
    extra_index_urls: tuple[str, ...] = pydantic.Field(
        (), description="package indexes that are looked at first; without credentials"
    )
    index_credentials_secret: str | None = pydantic.Field(
        None, description="secret with netrc text (machine HOST login USER password TOKEN) for the indexes"
    )
    cpu_wheels: bool = pydantic.Field(
        True, description="choose builds of torch for the CPU where a chainlet asks for no GPU"
    )
    bind: str = pydantic.Field(
        "127.0.0.1",
        description="IP address that the front door is published on; 0.0.0.0 on a swarm: on every node",
    )
    port: int | None = pydantic.Field(
        None, ge=1, le=65535, description="port of the front door; a free one from 8100 when not set"
    )
    front_door_image: str = pydantic.Field("haproxy:lts", description="image of the front door")
    api_key_secret: str | None = pydantic.Field(
        None, description="secret whose value callers must send as API key"
    )
    tls_secret: str | None = pydantic.Field(
        None, description="secret with the PEM (certificate and key) that the front door serves TLS with"
    )
    secrets_file: Path | None = pydantic.Field(None, description="file with NAME=value lines")
    environment: str | None = pydantic.Field(None, description="name that chainlets see as environment")
    start_timeout_sec: float = pydantic.Field(
        600.0, gt=0, description="how long a chainlet may take until it is ready"
    )
    drain_sec: float = pydantic.Field(
        30.0, ge=0, description="how long a replaced service may finish its requests"
    )
    keep_warm: int = pydantic.Field(
        0, ge=0, description="how many releases before the new one go on running, without traffic"
    )
    state_dir: Path | None = pydantic.Field(
        None, description="where tokens, data and, by default, releases are kept"
    )
    database: str | None = pydantic.Field(
        None,
        repr=False,
        description="URL of the database of releases; a SQLite file in state_dir when not set",
    )

    artifacts: str | None = pydantic.Field(
        None, description="directory or URL of what components refer to; in state_dir when not set"
    )

    _named: Mapping[str, NamedTarget] = pydantic.PrivateAttr(default_factory=dict)
    _decided: frozenset[str] = pydantic.PrivateAttr(default=frozenset())

    @property
    def kind(self) -> str:
        """What the target is: one of KINDS, or "auto"."""
        named = self._named.get(self.target)
        return named.kind if named else self.target

    @property
    def target_names(self) -> tuple[str, ...]:
        """The names of all targets that there are."""
        return (*KINDS, *sorted(self._named))

    @property
    def wanted_targets(self) -> tuple[str, ...]:
        """The names of the targets that are meant: all of them with "auto"."""
        return self.target_names if self.target == AUTO else (self.target,)

    def on(self, target: str) -> Settings:
        """Return the settings that hold for a target, where `auto` was to find it. Raises UsageError.

        What the command line and variables say goes before what its table says.
        """
        if target == self.target:
            return self
        own = self._named[target].values if target in self._named else {}
        values = {key: value for key, value in own.items() if key not in self._decided}
        known = {key: getattr(self, key) for key in self.model_fields_set}
        return _made({**known, **values, "target": target}, self._named, self._decided)

    @pydantic.field_validator("bind")
    @classmethod
    def _is_address(cls, value: str) -> str:
        """A Docker Engine takes a name for no address at all, and publishes on every interface."""
        if value == "localhost":
            return "127.0.0.1"
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise pydantic_core.PydanticCustomError("ip_address", "Input should be an IP address") from None
        return value

    @pydantic.field_validator("port", "start_timeout_sec", "drain_sec", mode="before")
    @classmethod
    def _is_number(cls, value: object) -> object:
        """True would be taken for 1, and a chainlet given a second to start."""
        if isinstance(value, bool):
            raise pydantic_core.PydanticCustomError("number", "Input should be a number")
        return value

    @pydantic.field_validator("platform")
    @classmethod
    def _is_platform(cls, value: str | None) -> str | None:
        if value not in (None, "linux/amd64", "linux/arm64"):
            raise pydantic_core.PydanticCustomError("platform", "Input should be linux/amd64 or linux/arm64")
        return value

    @pydantic.field_validator("index_url", "extra_index_urls")
    @classmethod
    def _are_indexes(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        """What has no scheme would be taken for a directory, in which nothing is found."""
        for url in (value,) if isinstance(value, str) else value or ():
            if not re.fullmatch(r"(https?://[^\s,/]|file:///)[^\s,]*", url):
                raise pydantic_core.PydanticCustomError(
                    "index", "Input should be a URL such as https://HOST/simple"
                )
        return value

    @pydantic.field_validator("http_proxy", "https_proxy")
    @classmethod
    def _is_proxy(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"(https?|socks5h?)://[^\s/?#]+/?", value):
            raise pydantic_core.PydanticCustomError("proxy", "Input should be a URL such as http://HOST:3128")
        return value

    @pydantic.field_serializer("http_proxy", "https_proxy", when_used="json-unless-none")
    def _without_login(self, value: str) -> str:
        """What is shown of a proxy."""
        return re.sub(r"://.*@", "://[REDACTED]@", value)

    @pydantic.field_validator("apt_mirror")
    @classmethod
    def _is_mirror(cls, value: str | None) -> str | None:
        """It is written into the images, so it can hold no password."""
        if value is not None and not re.fullmatch(r"https?://[A-Za-z0-9._:\[\]/~-]+", value):
            raise pydantic_core.PydanticCustomError(
                "mirror", "Input should be a URL such as http://HOST, without user and password"
            )
        return value.rstrip("/") if value else value


def load_settings(
    start: Path, environ: Mapping[str, str], given: Mapping[str, Any], user_file: Path
) -> Settings:
    """Read all sources and check them. Raises UsageError naming the source and the key."""
    merged: dict[str, Any] = {}
    chosen_by = ""
    for source, values in settings_sources(start, environ, given, user_file):
        _check(source, values)
        merged.update(values)
        chosen_by = source if "target" in values else chosen_by
    named = _named_targets(_files(start, user_file))
    for target in named.values():
        _check(target.source, target.values)
    decided = {*_from_environment(environ), *(key for key, value in given.items() if value is not None)}
    settings = _made(merged, named, frozenset(decided))
    known = (AUTO, *settings.target_names)
    if settings.target not in known:
        raise UsageError(
            f"{chosen_by}: there is no target called {settings.target!r}",
            hint=f"name one of {', '.join(known)}, or begin a table of it with `[{TABLES}.NAME]`.",
        )
    return settings


def _made(values: Mapping[str, Any], named: Mapping[str, NamedTarget], decided: frozenset[str]) -> Settings:
    settings = Settings.model_validate(dict(values))
    settings._named, settings._decided = named, decided
    return settings


def _named_targets(files: Sequence[tuple[Path, Mapping[str, Any]]]) -> dict[str, NamedTarget]:
    """The targets that files name; paths in their tables are relative to the file."""
    found = {}
    for path, values in files:
        for name, target in named_targets([(str(path), values)]).items():
            found[name] = replace(target, values=_absolute(target.values, path.parent))
    return found


def settings_sources(
    start: Path, environ: Mapping[str, str], given: Mapping[str, Any], user_file: Path
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each source with the values it sets, unchecked; a later one wins.

    What a file sets for the chosen environment is a source of its own, after the file, and what one sets for
    the chosen target is one after all files.
    """
    files = _files(start, user_file)
    variables = _absolute(_from_environment(environ), Path.cwd())
    options = {key: value for key, value in given.items() if value is not None}
    environment = _chosen("environment", [*(values for _, values in files), variables, options])
    found = [
        (source, _absolute(layer if source != str(path) else _without_targets(layer), path.parent))
        for path, values in files
        for source, layer in layers(str(path), values, environment)
    ]
    yield from found
    own = _named_targets(files).get(
        _chosen("target", [*(layer for _, layer in found), variables, options]) or ""
    )
    if own is not None:
        yield own.source, dict(own.values)
    yield "the environment", variables
    yield "the command line", options


def environment_variables(start: Path, user_file: Path, environment: str | None) -> dict[str, str]:
    """Return the variables that files give to the chainlets of an environment. Raises UsageError."""
    merged: dict[str, str] = {}
    for path, values in _files(start, user_file):
        merged.update(variables_in(str(path), values, environment))
    return merged


def _files(start: Path, user_file: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The user's file and the project's, with what they say; a later one wins."""
    found = [(user_file, _toml(user_file))] if user_file.is_file() else []
    project = _project_file(start)
    if project is not None:
        values = _tool_table(project) if project.name == "pyproject.toml" else _toml(project)
        found.append((project, values or {}))
    return found


def _without_targets(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != TABLES}


def _chosen(key: str, sources: Sequence[Mapping[str, Any]]) -> str | None:
    """The environment, or the target, that the last source names; one that is no text is left to the check."""
    named = [values[key] for values in sources if key in values]
    return named[-1] if named and isinstance(named[-1], str) else None


def _project_file(start: Path) -> Path | None:
    for directory in (start, *start.parents):
        if (directory / "chainctl.toml").is_file():
            return directory / "chainctl.toml"
        pyproject = directory / "pyproject.toml"
        if pyproject.is_file() and _tool_table(pyproject) is not None:
            return pyproject
        if (directory / ".git").exists():
            return None
    return None


def _tool_table(pyproject: Path) -> dict[str, Any] | None:
    """The table `[tool.chainctl]`, None when there is none. Raises UsageError when it is no table."""
    tool = _toml(pyproject).get("tool")
    table = tool.get("chainctl") if isinstance(tool, dict) else None
    if isinstance(table, dict | None):
        return table
    raise UsageError(f"{pyproject}: `tool.chainctl` is no table", hint="begin it with `[tool.chainctl]`.")


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Values of variables; an empty one counts as unset, which CI systems cannot help setting."""
    values: dict[str, Any] = {}
    for name, value in environ.items():
        key = name.removeprefix(_PREFIX).lower()
        if value and name.startswith(_PREFIX) and key in Settings.model_fields:
            values[key] = _split(key, value)
    return values


def _split(key: str, value: str) -> object:
    """Lists in a variable: paths are separated by colons, URLs by spaces."""
    match key:
        case "ca_certificates":
            return value.split(":")
        case "extra_index_urls":
            return value.split()
    return value


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Names of variables that look like settings but are none, sorted; they change nothing."""
    ours = (name for name in environ if name.startswith(_PREFIX) and not name.startswith(_OTHER))
    return sorted(name for name in ours if name.removeprefix(_PREFIX).lower() not in Settings.model_fields)


def _absolute(values: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Make the paths of a source absolute; what is no text is left to the check."""
    out = dict(values)
    for key in ("secrets_file", "state_dir", "kubeconfig"):
        out.update({key: _absolute_path(out[key], base)} if key in out else {})
    if isinstance(out.get("ca_certificates"), list):
        out["ca_certificates"] = [_absolute_path(path, base) for path in out["ca_certificates"]]
    return out


def _absolute_path(path: object, base: Path) -> object:
    return str(base / Path(path).expanduser()) if isinstance(path, str) else path


def _check(source: str, values: Mapping[str, Any]) -> None:
    for key in values:
        if key not in Settings.model_fields:
            near = difflib.get_close_matches(key, Settings.model_fields, 1)
            meant = (
                f"did you mean `{near[0]}`?" if near else "`chainctl doctor --settings` lists all settings."
            )
            raise UsageError(f"{source} has no setting called `{key}`", hint=meant)
    try:
        Settings.model_validate(dict(values))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        described = Settings.model_fields[key].description or ""
        said = "Input should be a list" if first["type"] == "tuple_type" else first["msg"]
        raise UsageError(f"{source}: `{key}`: {said}", hint=f"`{key}` is: {described}.") from error


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # no TOML, or no UTF-8
        raise UsageError(f"{path} cannot be read: {error}") from error
