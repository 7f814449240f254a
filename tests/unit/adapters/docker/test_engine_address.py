"""Which engine a command talks to, for every way that Docker's users name one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from chainctl.adapters.docker.engine_address import (
    DEFAULT_URL,
    EngineAddress,
    TLSFiles,
    docker_config_dir,
)
from chainctl.errors import UsageError


def add_context(config: Path, name: str, host: str, *, skip_verify: bool = False) -> Path:
    """Write a context as `docker context create` does; return the place of its TLS files."""
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = config / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": skip_verify}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": endpoint}}))
    return config / "contexts" / "tls" / key / "docker"


def add_certificates(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (directory / name).write_text(name)


def test_nothing_named_is_the_default_socket(tmp_path: Path) -> None:
    """Without variables, contexts or a configuration the local socket is meant."""
    assert EngineAddress.resolve({}, tmp_path) == EngineAddress(DEFAULT_URL)


def test_precedence_is_host_then_context_then_variables_then_current(tmp_path: Path) -> None:
    """Each of the five ways wins over those after it."""
    for name in ("flag", "variable", "current"):
        add_context(tmp_path, name, f"unix:///{name}.sock")
    (tmp_path / "config.json").write_text('{"currentContext": "current"}')
    environ = {"DOCKER_HOST": "unix:///host.sock", "DOCKER_CONTEXT": "variable"}
    only_context = {"DOCKER_CONTEXT": "variable"}

    def url(environ: dict[str, str], **named: str) -> str:
        return EngineAddress.resolve(environ, tmp_path, **named).url

    assert url(environ, host="unix:///x.sock", context="flag") == "unix:///x.sock"
    assert url(environ, context="flag") == "unix:///flag.sock"
    assert url(environ) == "unix:///host.sock"
    assert url(only_context) == "unix:///variable.sock"
    assert url({}) == "unix:///current.sock"


def test_default_context_means_docker_host_or_the_socket(tmp_path: Path) -> None:
    """`default` is the one context that exists without a file."""
    named = {"DOCKER_HOST": "unix:///host.sock"}
    assert EngineAddress.resolve(named, tmp_path, context="default").source == "DOCKER_HOST"
    assert EngineAddress.resolve({}, tmp_path, context="default").url == DEFAULT_URL
    assert EngineAddress.resolve({"DOCKER_CONTEXT": "default"}, tmp_path).url == DEFAULT_URL


def test_unknown_context_says_how_to_list_them(tmp_path: Path) -> None:
    """A context that does not exist is a usage error, not a silent default."""
    with pytest.raises(UsageError, match="no docker context named lab") as caught:
        EngineAddress.resolve({}, tmp_path, context="lab")
    assert "docker context ls" in caught.value.hint


@pytest.mark.parametrize("text", ["", "[]", "{", '{"Endpoints": 3}', '{"Endpoints": {}}'])
def test_broken_context_is_a_usage_error(tmp_path: Path, text: str) -> None:
    """A context file that does not parse is named, with no traceback."""
    add_context(tmp_path, "lab", "unix:///x")
    (meta,) = tmp_path.glob("contexts/meta/*/meta.json")
    meta.write_text(text)
    with pytest.raises(UsageError, match="lab can not be read"):
        EngineAddress.resolve({}, tmp_path, context="lab")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"currentContext": 3}', "{}"])
def test_broken_configuration_is_the_default(tmp_path: Path, text: str) -> None:
    """Docker ignores a configuration that it can not read; so do we."""
    (tmp_path / "config.json").write_text(text)
    assert EngineAddress.resolve({}, tmp_path).url == DEFAULT_URL


def test_context_brings_its_tls_files(tmp_path: Path) -> None:
    """TLS material of a context lies beside it, under the hash of its name."""
    directory = add_context(tmp_path, "lab", "tcp://lab:2376")
    add_certificates(directory)
    address = EngineAddress.resolve({"DOCKER_CONTEXT": "lab"}, tmp_path)
    assert address.source == "DOCKER_CONTEXT lab"
    assert address.tls == TLSFiles(
        directory / "ca.pem", directory / "cert.pem", directory / "key.pem", is_verified=True
    )


def test_context_without_tls_files_is_plain(tmp_path: Path) -> None:
    """A tcp context with no material is used without TLS; one on a socket never has any."""
    add_context(tmp_path, "lab", "tcp://lab:2375")
    add_certificates(add_context(tmp_path, "odd", "unix:///x.sock"))
    assert EngineAddress.resolve({}, tmp_path, context="lab").tls is None
    assert EngineAddress.resolve({}, tmp_path, context="odd").tls is None


def test_tls_variables_apply_to_tcp_only(tmp_path: Path) -> None:
    """DOCKER_TLS_VERIFY turns TLS on, with files from DOCKER_CERT_PATH."""
    add_certificates(tmp_path / "certs")
    environ = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path / "certs")}
    tcp = EngineAddress.resolve(environ, tmp_path, host="tcp://lab:2376")
    assert tcp.tls == TLSFiles.found_in(tmp_path / "certs", is_verified=True)
    assert tcp.tls.ca == tmp_path / "certs" / "ca.pem"
    assert EngineAddress.resolve(environ, tmp_path, host="unix:///x.sock").tls is None
    assert EngineAddress.resolve({}, tmp_path, host="tcp://lab:2375").tls is None


def test_tls_is_verified_unless_asked_otherwise(tmp_path: Path) -> None:
    """Only DOCKER_TLS without DOCKER_TLS_VERIFY accepts any certificate, as in Docker."""
    https = EngineAddress.resolve({}, tmp_path, host="https://lab:2376")
    loose = EngineAddress.resolve({"DOCKER_TLS": "1"}, tmp_path, host="tcp://lab:2376")
    assert https.tls == TLSFiles(None, None, None, is_verified=True)
    assert loose.tls == TLSFiles(None, None, None, is_verified=False)


def test_config_dir_is_named_or_at_home(tmp_path: Path) -> None:
    """DOCKER_CONFIG moves the configuration."""
    assert docker_config_dir({}, tmp_path) == tmp_path / ".docker"
    assert docker_config_dir({"DOCKER_CONFIG": "/etc/d"}, tmp_path) == Path("/etc/d")
