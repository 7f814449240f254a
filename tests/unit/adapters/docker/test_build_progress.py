"""From recorded streams of a real engine to events: golden lists, the same for both builders."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chainctl.adapters.docker.build_failure import Failure
from chainctl.adapters.docker.build_progress import BuildProgress
from chainctl.events import BuildLogged, BuildStepEnded, BuildStepped, Event

DATA = Path(__file__).parent / "data"
RUN = (
    r"[3/{}] RUN echo out && echo err >&2 && printf 'a\rb\n50%%' && sleep 0.2"
    r" && printf ' 100%%\n'"
)
EXPORT = BuildStepped("Hello", "exporting to image")
BUILDERS = pytest.mark.parametrize("builder", ["buildkit", "classic"])


def followed(lines: list[bytes]) -> tuple[BuildProgress, list[Event]]:
    """Return what was told, but for the ends of steps: only BuildKit tells those."""
    progress, events = heard(lines)
    return progress, [event for event in events if not isinstance(event, BuildStepEnded)]


def heard(lines: list[bytes], clean: Callable[[str], str] = str) -> tuple[BuildProgress, list[Event]]:
    progress = BuildProgress("Hello", clean)
    return progress, [event for line in lines for event in progress.feed(line)]


def recorded(name: str) -> tuple[BuildProgress, list[Event]]:
    return followed((DATA / f"{name}.jsonl").read_bytes().splitlines())


def steps(total: int, *, cached: bool) -> list[Event]:
    return [
        BuildStepped("Hello", f"[1/{total}] FROM python:3.11-slim"),
        BuildStepped("Hello", f"[2/{total}] COPY f.txt /f.txt", cached),
        BuildStepped("Hello", RUN.format(total), cached),
    ]


def logged(*lines: str) -> list[Event]:
    return [BuildLogged("Hello", line) for line in lines]


@BUILDERS
def test_a_first_build_tells_its_steps_and_their_output(builder: str) -> None:
    """Steps in order, output by line, progress bars only in their last state."""
    progress, events = recorded(f"{builder}_fresh")
    shown = [event for event in events if event != EXPORT]
    assert shown[:3] == steps(3, cached=False)
    assert sorted(map(str, shown[3:])) == sorted(map(str, logged("out", "err", "b", "50% 100%")))
    assert progress.image_id is not None
    assert progress.image_id.startswith("sha256:")
    assert progress.failure is None


@BUILDERS
def test_a_second_build_says_that_steps_are_cached(builder: str) -> None:
    """Cached steps have no output."""
    _, events = recorded(f"{builder}_cached")
    assert [event for event in events if event != EXPORT] == steps(3, cached=True)


def test_steps_end_with_their_duration() -> None:
    """Once each, after they began; one that was cached took no time worth telling, one that failed has no end."""
    _, fresh = heard((DATA / "buildkit_fresh.jsonl").read_bytes().splitlines())
    ended = {event.step: event for event in fresh if isinstance(event, BuildStepEnded)}
    assert [type(e) for e in fresh].count(BuildStepEnded) == len(ended) == 4
    assert 0.2 <= ended[RUN.format(3)].seconds < 5
    assert not ended[RUN.format(3)].cached
    _, again = heard((DATA / "buildkit_cached.jsonl").read_bytes().splitlines())
    assert {e.cached for e in again if isinstance(e, BuildStepEnded) and "COPY" in e.step} == {True}
    _, failing = heard((DATA / "buildkit_failing.jsonl").read_bytes().splitlines())
    assert not any(isinstance(event, BuildStepEnded) and "exit 3" in event.step for event in failing)


@BUILDERS
def test_all_that_is_told_is_cleaned(builder: str) -> None:
    """Steps, lines, the reason and the last lines of a failure."""

    def blackened(text: str) -> str:
        return "#" * len(text)

    progress, events = heard((DATA / f"{builder}_failing.jsonl").read_bytes().splitlines(), blackened)
    said = [event.line if isinstance(event, BuildLogged) else getattr(event, "step", "") for event in events]
    assert progress.failure is not None
    assert set("".join([*said, progress.failure.step, *progress.failure.tail, progress.failure.reason])) == {
        "#"
    }


@BUILDERS
def test_a_failing_step_is_told_with_its_last_lines(builder: str) -> None:
    """The step is the instruction alone, the tail its last 20 lines."""
    progress, events = recorded(f"{builder}_failing")
    failing: Event = BuildStepped("Hello", "[4/4] RUN seq 30 && exit 3")
    assert events == [*steps(4, cached=True), failing, *logged(*map(str, range(1, 31)))]
    assert progress.image_id is None
    assert progress.failure is not None
    assert progress.failure.step == "RUN seq 30 && exit 3"
    assert progress.failure.tail == tuple(str(number) for number in range(11, 31))
    assert progress.failure.reason.endswith("code: 3")


@BUILDERS
def test_a_step_that_fails_before_it_runs_is_told_too(builder: str) -> None:
    """A COPY of nothing: both builders hold its announcement back until the error."""
    progress, events = recorded(f"{builder}_missing_file")
    assert events[-1] == BuildStepped("Hello", "[4/4] COPY nope /nope")
    assert progress.failure is not None
    assert (progress.failure.step, progress.failure.tail) == ("COPY nope /nope", ())


def test_a_cut_off_stream_is_neither_built_nor_failed() -> None:
    """Half of a recorded stream leaves both unset."""
    progress, events = followed((DATA / "classic_fresh.jsonl").read_bytes().splitlines()[:8])
    assert (progress.image_id, progress.failure) == (None, None)
    assert events


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no json",
        b"[1]",
        b'{"id": "moby.buildkit.trace", "aux": "%%%"}',
        b'{"id": "moby.buildkit.trace", "aux": "gA=="}',
        b'{"status": "Downloading", "id": "x"}',
        b'{"stream": 3}',
        b"[" * 100_000,
    ],
)
def test_lines_without_meaning_pass(line: bytes) -> None:
    """A line that can not be read costs progress, never the build."""
    progress, events = followed([line])
    assert (events, progress.image_id, progress.failure) == ([], None, None)


@pytest.mark.parametrize(
    "line",
    [b'{"message": "no"}', b'{"error": "no"}', b'{"errorDetail": {"message": "no"}, "error": "x"}'],
)
def test_refusals_before_the_first_step_have_no_step(line: bytes) -> None:
    """The body of an HTTP error reads like an error in the stream."""
    progress, _ = followed([line])
    assert progress.failure == Failure("", (), "no")


def test_output_can_not_pass_for_a_step() -> None:
    """An instruction that prints the classic builder's words is not believed."""
    said = [
        "Step 1/2 : RUN fake",
        "\n",
        " ---> Running in 0123456789ab\n",
        "Step 9/9 : RUN evil",
        "\n ---> Using cache of mine\n",
        "Successfully built wheels\n",
        "Successfully built 0123456789ab\n",
    ]
    _, events = followed([json.dumps({"stream": text}).encode() for text in said])
    assert events == [
        BuildStepped("Hello", "[1/2] RUN fake"),
        *logged("Step 9/9 : RUN evil", " ---> Using cache of mine", "Successfully built wheels"),
    ]


def traced(*fields: tuple[int, bytes]) -> bytes:
    """Return a stream's line that holds one vertex."""
    body = b"".join(bytes([number << 3 | 2, len(value)]) + value for number, value in fields)
    aux = base64.b64encode(b"\x0a" + bytes([len(body)]) + body).decode()
    return json.dumps({"id": "moby.buildkit.trace", "aux": aux}).encode()


def test_the_step_that_failed_is_not_one_that_was_stopped_for_it() -> None:
    """When one step fails BuildKit cancels its neighbours; those are not the reason."""
    now = (5, b"\x08\x01")
    progress, events = followed(
        [
            traced((1, b"a"), (3, b"[a 1/2] RUN long"), now, (7, b"context canceled")),
            traced((1, b"b"), (3, b"[b 1/2] RUN bad\n  x"), now, (7, b"exit code: 1")),
            b'{"errorDetail": {"message": "exit code: 1"}}',
        ]
    )
    assert events[-1] == BuildStepped("Hello", "[b 1/2] RUN bad x")
    assert progress.failure == Failure("RUN bad x", (), "exit code: 1")


def test_the_engines_own_housekeeping_is_not_told() -> None:
    """Loading the context is no step of the Dockerfile."""
    now = (5, b"\x08\x01")
    name = b"[internal] load remote build context"
    _, events = followed([traced((1, b"a"), (3, name), now), traced((1, b"b"), (3, b"copy"), now)])
    assert events == []


def test_steps_of_a_long_dockerfile_are_told() -> None:
    """With ten steps or more the engine pads their numbers."""
    now = (5, b"\x08\x01")
    _, events = followed([traced((1, b"a"), (3, b"[ 2/10] RUN sleep 20"), now)])
    assert events == [BuildStepped("Hello", "[ 2/10] RUN sleep 20")]
