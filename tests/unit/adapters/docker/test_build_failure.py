"""Why a build failed, and what to do about it, for the failures that users meet."""

from __future__ import annotations

import pytest

from chainctl.adapters.docker.build_failure import Failure, build_failed
from chainctl.build.context import BuildContext, ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.errors import BuildError, EngineError

IMAGE = ImagePlan("Hello", ImageRef("c/hello", "1"), BuildContext(()), "python:3.11-slim")
FRONTEND = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: "


def failed(step: str, reason: str, *tail: str) -> BuildError:
    error = build_failed(IMAGE, Failure(step, tail, reason))
    assert isinstance(error, BuildError)
    return error


@pytest.mark.parametrize(
    "reason",
    [
        "executor failed running [/bin/sh -c x]: exit code: 3",
        "The command '/bin/sh -c x' returned a non-zero code: 3",
        'process "/bin/sh -c x" did not complete successfully: exit code: 3',
    ],
)
def test_an_exit_code_is_told_in_two_words(reason: str) -> None:
    """Three engines, three wordings, one message; the details are the last lines."""
    error = failed("RUN x", reason, "one", "two")
    assert error.message == "The image of Hello failed to build at `RUN x`: exit code 3"
    assert error.details == ("one", "two")
    assert "push again" in error.hint


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("pull access denied for x/y, repository does not exist", "no registry gives it"),
        ("manifest for x/y:1 not found: manifest unknown", "no registry gives it"),
        (FRONTEND + "x/y:1: not found", "no registry gives it"),
        ("dial tcp: lookup registry: no such host", "its registry does not answer"),
        ("dial tcp: connect: connection refused", "its registry does not answer"),
        ("net/http: TLS handshake timeout", "its registry does not answer"),
    ],
)
@pytest.mark.parametrize(
    "step", ["FROM x/y:1", "load metadata for x/y:1", "FROM --platform=linux/arm64 x/y:1 AS a"]
)
def test_a_missing_base_image_is_named(step: str, reason: str, why: str) -> None:
    """The message names the image, the hint the three ways to have one."""
    error = failed(step, reason)
    assert f"the base image x/y:1 is not on the engine and {why}" in error.message
    assert error.step == "FROM x/y:1"
    assert "docker_image.base_image=" in error.hint
    assert "docker load" in error.hint


def test_a_connection_refused_inside_a_step_is_no_base_image() -> None:
    """Only the steps that fetch a base are about the base."""
    assert "base image" not in failed("RUN x", "connection refused").message


@pytest.mark.parametrize(
    "failure",
    [
        Failure("COPY a /a", (), "write /a: no space left on device"),
        Failure("RUN x", ("OSError: [Errno 28] No space left on device",), "x: exit code: 1"),
        Failure("RUN x", ("  Caused by: No space left on device (os error 28)",), "x: exit code: 2"),
        Failure("RUN x", ("E: You don't have enough free space in /mnt/archives/.",), "x: exit code: 100"),
        Failure("", (), "Error processing tar file(exit status 1): write /a: no space left on device"),
    ],
)
def test_a_full_disk_is_told_wherever_it_is_said(failure: Failure) -> None:
    """pip says it in its output, the engine in its reason."""
    error = build_failed(IMAGE, failure)
    assert "no space is left on the engine's disk" in error.message
    assert "Hello" in error.message
    assert "chainctl gc" in error.hint
    assert "docker builder prune" in error.hint


def test_a_killed_step_hints_at_memory() -> None:
    """Exit code 137 is SIGKILL, in practice the kernel's."""
    assert "memory" in failed("RUN x", "exit code: 137").hint


def test_a_step_without_network_hints_at_the_network() -> None:
    """pip retries for a minute and then says this."""
    lines = "NewConnectionError: Temporary failure in name resolution"
    assert "host's network" in failed("RUN pip install x", "exit code: 1", lines).hint


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("error: dns error: failed to lookup address", "host's network"),
        ("  Caused by: invalid peer certificate: UnknownIssuer", "ca_certificates"),
        ("  x Hash mismatch for `idna==3.10`", "chainctl lock"),
        ("  Git executable not found. Ensure that Git is installed", "apt_requirements"),
        ("/bin/sh: 1: python3: not found", "python_executable_path"),
        ("/usr/bin/python3: No module named pip", "with pip"),
        ("E: Unable to locate package tre", "has no such package: correct docker_image.apt_requirements"),
        ("E: Version '9' for 'tree' was not found", "has no such package"),
        (
            "W: Failed to fetch http://deb/x  Connection refused\nE: Unable to locate package x",
            "`apt_mirror`",
        ),
        ("  Temporary failure resolving 'deb.debian.org'", "`apt_mirror`"),
    ],
)
def test_what_a_step_says_decides_the_hint(said: str, hint: str) -> None:
    """The failures that an installation meets, by uv's, the shell's and Python's words."""
    assert hint in failed("RUN x", "exit code: 1", "before", said, "after").hint


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("network lab not found", "the engine has no network lab: correct the setting `build_network`"),
        (
            "executor failed running [x]: failed to create endpoint a1 on network bridge: no docker0",
            'set `build_network = "host"`',
        ),
    ],
)
def test_a_network_that_builds_cannot_have_is_told(reason: str, hint: str) -> None:
    """The setting decides it, and no instruction."""
    assert hint in failed("RUN x", reason).hint


def test_other_reasons_lose_their_wrapping() -> None:
    """What BuildKit was solving when it failed is not the user's concern."""
    error = failed("", FRONTEND + "dockerfile parse error line 2: unknown instruction: FOO")
    assert error.message.endswith("failed to build: dockerfile parse error line 2: unknown instruction: FOO")


def test_an_engine_that_stops_is_no_build_error() -> None:
    """An engine that shuts down cancels its builds; pushing again goes on."""
    error = build_failed(IMAGE, Failure("RUN x", (), "failed to solve: context canceled"))
    assert isinstance(error, EngineError)
    assert error.hint == "push again: finished images are kept"
