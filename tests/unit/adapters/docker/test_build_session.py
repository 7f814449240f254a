"""Builds that need secrets, against an engine with sessions: what it is told, and all that can go wrong."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.adapters.docker.build_secrets import LARGEST
from chainctl.adapters.docker.builder import DockerBuildBackend
from chainctl.adapters.docker.session_login import RegistryLogins
from chainctl.adapters.docker.session_services import CREDENTIALS, GET_SECRET, HEALTH
from chainctl.adapters.docker.session_wire import bytes_field
from chainctl.build.context import BuildContext, ContextFile, ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.build.proxies import proxy_arguments
from chainctl.errors import BuildError, ChainctlError, EngineError, MissingSecretError, UsageError
from chainctl.events import BuildLogged, Event, Notice
from tests.unit.adapters.docker.session_engine import (
    BUILT,
    FAILED,
    SessionEngine,
    certificate_in,
    logged,
)

CONTEXT = BuildContext.of([ContextFile.of_text("Dockerfile", "FROM base:1\n")])
PLAIN = ImagePlan("Hello", ImageRef("chain/hello", "abc"), CONTEXT, "base:1")
SECRET = ImagePlan("Hello", ImageRef("chain/hello", "abc"), CONTEXT, "base:1", secrets=("netrc", "token"))
VALUES = {
    "token": b"hunter2-token",
    "netrc": b"machine 127.0.0.1 login ada password love/lace\n",
    "other": b"x",
}


def build(engine: SessionEngine, image: ImagePlan = SECRET, **given: object) -> list[Event]:
    """Build with the values above, unless told otherwise."""
    events = list[Event]()
    with engine.listening() as connection:
        backend = DockerBuildBackend(connection, **{"secrets": VALUES.__getitem__, **given})  # type: ignore[arg-type]
        backend.build(image, events.append)
    return events


def refused(engine: SessionEngine, image: ImagePlan = SECRET, **given: object) -> ChainctlError:
    with pytest.raises(ChainctlError) as caught:
        build(engine, image, **given)
    return caught.value


def lines(events: list[Event]) -> list[str]:
    return [event.line for event in events if isinstance(event, BuildLogged)]


def logins(tmp_path: Path, config: object) -> RegistryLogins:
    (tmp_path / "config.json").write_text(json.dumps(config))
    return RegistryLogins(tmp_path)


def test_a_build_is_told_the_secrets_of_its_image_alone() -> None:
    """The session is named in the build's query, and gone afterwards."""
    engine = SessionEngine(asks=("token", "netrc", "other"))
    build(engine)
    assert engine.told["token"].message == bytes_field(1, VALUES["token"])
    assert engine.told["netrc"].message == bytes_field(1, VALUES["netrc"])
    assert engine.told["other"].status == "5"
    assert engine.queries[0]["session"] == engine.offered["x-docker-expose-session-uuid"][0]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("session-")]


def test_an_engine_is_told_what_a_session_answers() -> None:
    """Each method in a header of its own, as BuildKit reads them."""
    engine = SessionEngine()
    build(engine)
    assert engine.offered["x-docker-expose-session-grpc-method"] == [HEALTH, GET_SECRET, CREDENTIALS]
    assert (engine.offered["upgrade"], engine.offered["connection"]) == (["h2c"], ["Upgrade"])


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_sessions_go_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As all else does; the end of the build ends them there, too."""
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # requests prefers them to what it is given
        monkeypatch.delenv(variable, raising=False)
    engine = SessionEngine(asks=("token", "large"))
    image = replace(SECRET, secrets=("large", "token"))
    values = {"token": b"1", "large": bytes(LARGEST)}
    with engine.listening(certificate_in(tmp_path)) as connection:
        DockerBuildBackend(connection, secrets=values.__getitem__).build(image, list[Event]().append)
    assert engine.told["large"].message == bytes_field(1, values["large"])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("session-")]


def test_a_build_without_secrets_has_no_session() -> None:
    """Nor has one with an empty configuration of Docker."""
    engine = SessionEngine()
    build(engine, PLAIN, logins=RegistryLogins(Path("/nowhere")))
    assert "/session" not in engine.asked
    assert "session" not in engine.queries[0]


def test_secrets_are_read_only_when_they_are_asked_for() -> None:
    """A step whose result is cached asks for none."""
    read = list[str]()

    def value(name: str) -> bytes:
        read.append(name)
        return b"value"

    build(SessionEngine(), secrets=value)
    assert read == []
    build(SessionEngine(asks=("token",)), secrets=value)
    assert read == ["token"]


def test_what_was_given_is_taken_out_of_the_log() -> None:
    """The value, a password of netrc text, and how it looks in a header."""
    said = b"".join(map(logged, ("got hunter2-token", "love/lace", "Basic YWRhOmxvdmUvbGFjZQ==", "else")))
    events = build(SessionEngine(asks=("token", "netrc"), build=said + BUILT))
    assert lines(events) == ["got [REDACTED]", "[REDACTED]", "Basic [REDACTED]", "else"]


def test_what_was_given_is_taken_out_of_the_error() -> None:
    """The engine's own words and the last lines."""
    failing = logged("Step 1/1 : RUN x") + logged("hunter2-token") + b'{"error": "bad hunter2-token"}\n'
    error = refused(SessionEngine(asks=("token",), build=failing))
    assert "hunter2" not in repr([error.message, error.hint, error.details, str(error)])
    assert "[REDACTED]" in error.message


def test_a_secret_that_is_missing_is_the_usual_error() -> None:
    """Not what BuildKit makes of it."""

    def value(name: str) -> bytes:
        raise MissingSecretError(f"secret `{name}` has no value here")

    error = refused(SessionEngine(asks=("token",), build=FAILED), secrets=value)
    assert error.message == "secret `token` has no value here"


def test_a_secret_that_is_too_large_is_told() -> None:
    """With the bound; one that just fits is given."""
    error = refused(SessionEngine(asks=("token",), build=FAILED), secrets=lambda _: bytes(LARGEST + 1))
    assert isinstance(error, UsageError)
    assert error.message == "the secret `token` has 512001 bytes; a build takes at most 512000"
    engine = SessionEngine(asks=("token",))
    build(engine, secrets=lambda _: bytes(LARGEST))
    assert len(engine.told["token"].message) > LARGEST


@pytest.mark.parametrize("status", [403, 404, 501])
def test_an_engine_without_sessions_can_not_build_with_secrets(status: int) -> None:
    """It is told before the build begins."""
    engine = SessionEngine(session=status)
    error = refused(engine)
    assert isinstance(error, BuildError)
    assert error.message == (
        "The image of Hello failed to build: it needs the secrets `netrc`, `token`, which only BuildKit can"
        f" give to a build, and this engine takes no session (HTTP {status})"
    )
    assert "/build" not in engine.asked


def test_an_engine_without_sessions_builds_the_rest(tmp_path: Path) -> None:
    """Where logins are all that a session would be for, it is said once that there is none."""
    engine, events = SessionEngine(session=404), list[Event]()
    known = logins(tmp_path, {"auths": {"registry.example": {"auth": "YTpi"}}})
    with engine.listening() as connection:
        backend = DockerBuildBackend(connection, logins=known)
        backend.build(PLAIN, events.append)
        backend.build(PLAIN, events.append)
    assert [type(event) for event in events] == [Notice]
    assert len(engine.queries) == 2


def test_the_classic_builder_is_refused() -> None:
    """When it was chosen, and when the engine leaves nothing else."""
    assert "and the classic builder was chosen" in refused(SessionEngine(), use_buildkit=False).message
    declined = b'{"message": "buildkit is only supported with experimental mode"}\n'
    engine = SessionEngine(build=declined)
    assert "and this engine refuses to build with it" in refused(engine).message
    assert len(engine.queries) == 1


def test_a_lost_session_is_told() -> None:
    """The build fails for it; what BuildKit says of that helps nobody."""
    error = refused(SessionEngine(is_cut=True, build=FAILED))
    assert isinstance(error, EngineError)
    assert error.message == "The engine lost the connection that gives secrets to the build of Hello"
    assert "push again" in error.hint


def test_a_failure_that_has_nothing_to_do_with_the_session_stays_itself() -> None:
    """A step that fails is a step that fails."""
    error = refused(SessionEngine(asks=("token",), build=b'{"error": "exit code: 1"}\n'))
    assert error.message.endswith("exit code 1")


def test_a_password_of_a_proxy_is_in_no_error() -> None:
    """A lost engine's error holds the URL of the request, and that the build arguments."""
    proxies = proxy_arguments(http="http://ada:love%2Flace@proxy:1", https=None, no=None)
    error = refused(SessionEngine(is_lost=True), PLAIN, proxies=proxies)
    assert isinstance(error, EngineError)
    assert "love" not in repr([error.message, error.hint, error.details])


def test_a_password_of_a_proxy_is_not_logged() -> None:
    """As it is written in the URL, as it is meant, and in a header."""
    proxies = proxy_arguments(http="http://ada:love%2Flace@proxy:1", https="http://proxy:2", no="a,b")
    said = b"".join(
        map(logged, ("http://ada:love%2Flace@proxy:1", "love/lace", "YWRhOmxvdmUvbGFjZQ==", "ada"))
    )
    engine = SessionEngine(build=said + BUILT)
    events = build(engine, PLAIN, proxies=proxies)
    assert lines(events) == ["http://ada:[REDACTED]@proxy:1", "[REDACTED]", "[REDACTED]", "ada"]
    arguments = json.loads(engine.queries[0]["buildargs"])
    assert sorted(arguments) == [
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    ]


def test_a_backend_prints_no_secrets() -> None:
    """Neither a proxy's password nor a login."""
    with SessionEngine().listening() as connection:
        backend = DockerBuildBackend(connection, proxies={"http_proxy": "http://a:secret@b"})
    assert "secret" not in repr(backend)


@pytest.mark.parametrize(
    ("config", "host", "user", "password"),
    [
        ({"auths": {"r.example": {"auth": "YWRhOmxvdmU="}}}, "r.example", "ada", "love"),
        ({"auths": {"https://index.docker.io/v1/": {"auth": "YTpi"}}}, "registry-1.docker.io", "a", "b"),
        ({"auths": {"r.example": {"auth": "YTpi", "identitytoken": "t0"}}}, "r.example", "", "t0"),
    ],
)
def test_logins_are_found(tmp_path: Path, config: object, host: str, user: str, password: str) -> None:
    """Under the name of the registry, Docker Hub's old one too; tokens have no user."""
    found = logins(tmp_path, config).login(host)
    assert found is not None
    assert (found.user, found.password) == (user, password)


@pytest.mark.parametrize("text", ["{}", "", "[1]", "{", '{"auths": {"other.example": {"auth": "YTpi"}}}'])
def test_no_login_is_none(tmp_path: Path, text: str) -> None:
    """Of other registries, or from a file that says nothing."""
    (tmp_path / "config.json").write_text(text)
    assert RegistryLogins(tmp_path).login("r.example") is None


def helper(directory: Path, script: str) -> None:
    """Install a credential helper."""
    program = directory / "docker-credential-ours"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_a_credential_helper_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For all registries (credsStore), or for one (credHelpers)."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    helper(tmp_path, """read host; echo '{"Username": "ada", "Secret": "'"of $host"'"}'""")
    for config in ({"credsStore": "ours"}, {"credHelpers": {"r.example": "ours"}}):
        known = logins(tmp_path, config)
        found = known.login("r.example")
        assert known.are_there
        assert found is not None
        assert (found.user, found.password) == ("ada", "of r.example")


def test_a_credential_helper_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what it said."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    known = logins(tmp_path, {"credsStore": "ours"})
    with pytest.raises(EngineError, match="docker-credential-ours is not installed"):
        known.login("r.example")
    helper(tmp_path, "echo my-secret; exit 3")
    with pytest.raises(EngineError, match="docker-credential-ours fails") as caught:
        known.login("r.example")
    assert "my-secret" not in str(caught.value)
    helper(tmp_path, "echo my-secret")
    with pytest.raises(EngineError, match="docker-credential-ours fails"):
        known.login("r.example")
