"""How many replicas follow from loads over time: within bounds, at once up, late down, never to and fro."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from chainctl.deploy.autoscale import UP_WINDOW_SEC, Course, Demand, Verdict, demands, needed_for
from chainctl.deploy.load import Loads, ServiceLoad, load_of
from chainctl.deploy.release import Release, Scaling
from tests.fakes.chains import chainlet, graph_of, release_of

ONE_TO_FIVE = Scaling(1, 5, 10, down_after_sec=60)
MAY_SLEEP = Scaling(0, 5, 10, down_after_sec=60)


@st.composite
def scalings(draw: st.DrawFn) -> Scaling:
    least = draw(st.integers(0, 4))
    most = draw(st.integers(max(least, 1), 12))
    return Scaling(least, most, draw(st.integers(1, 20)), float(draw(st.integers(0, 30))))


loads_over_time = st.lists(st.integers(0, 300), min_size=1, max_size=80)


def followed(scaling: Scaling, calls: Iterable[int], running: int, start: float = 0.0) -> list[int]:
    """Let replicas follow one look a second; return how many there are after each."""
    course, counts = Course(scaling), []
    for second, demand in enumerate(calls):
        course = course.seen(start + second, Demand(demand), running)
        running = course.verdict(running).wanted
        counts.append(running)
    return counts


def verdict(scaling: Scaling, calls: Iterable[int], running: int) -> Verdict:
    """Look once a second, at the same number of replicas."""
    course = Course(scaling)
    for second, demand in enumerate(calls):
        course = course.seen(float(second), Demand(demand), running)
    return course.verdict(running)


@given(scalings(), loads_over_time, st.integers(0, 15))
def test_bounds_hold(scaling: Scaling, calls: Sequence[int], running: int) -> None:
    """Whatever the load, and whatever ran before: nothing outside of the bounds is wanted, but while it waits."""
    for count in followed(scaling, calls, running):
        assert scaling.least <= count <= scaling.most


@given(scalings(), st.integers(0, 300), st.integers(0, 12))
def test_a_constant_load_is_followed_and_then_left_alone(scaling: Scaling, calls: int, running: int) -> None:
    """It ends at what the load needs, changes at most once down or up on the way, and not again."""
    looks = int(scaling.down_after_sec) + 5
    counts = followed(scaling, [calls] * (2 * looks), running)
    assert set(counts[looks:]) == {needed_for(scaling, calls)}
    changes = sum(a != b for a, b in itertools.pairwise(counts))
    assert changes <= 2


@given(
    scalings(), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 100)), min_size=1), st.integers(0, 12)
)
def test_more_load_never_means_fewer(
    scaling: Scaling, calls: Sequence[tuple[int, int]], running: int
) -> None:
    """Where each look saw as many calls or more, as many replicas or more are wanted."""
    less = verdict(scaling, [one for one, _ in calls], running)
    more = verdict(scaling, [one + beyond for one, beyond in calls], running)
    assert more.wanted >= less.wanted


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 9))
def test_a_load_that_goes_to_and_fro_changes_nothing_down(looks: int, low: int, high: int) -> None:
    """As long as the most of it comes again within the delay, replicas stay."""
    calls = [high * 10 if n % 7 == 0 else low for n in range(60 + looks)]
    counts = followed(Scaling(0, 9, 10, 20), calls, high)
    assert min(counts) >= high


@given(scalings(), loads_over_time, st.integers(0, 12))
def test_a_course_remembers_no_more_than_it_looks_back(
    scaling: Scaling, calls: Sequence[int], running: int
) -> None:
    """Equal looks are one; what is older than the delay goes."""
    course = Course(scaling)
    for second, demand in enumerate(calls):
        course = course.seen(float(second), Demand(demand), running)
    assert len(course.samples) <= scaling.down_after_sec + 2 + UP_WINDOW_SEC


def test_one_busy_look_is_noise_two_seconds_are_not() -> None:
    """Unless it asks for twice as many: then nobody waits to be sure."""
    assert verdict(ONE_TO_FIVE, [15, 15, 30], 2).wanted == 2
    assert verdict(ONE_TO_FIVE, [30, 30, 30], 2) == Verdict(3, "30 calls under way or waiting, 10 each")
    assert verdict(ONE_TO_FIVE, [15, 15, 40], 2).wanted == 4


def test_fewer_are_wanted_only_after_the_delay() -> None:
    """As many as the most that was needed in it."""
    assert verdict(ONE_TO_FIVE, [30, *[5] * 59], 4).wanted == 4
    assert verdict(ONE_TO_FIVE, [30, *[5] * 60], 4).wanted == 3
    assert verdict(ONE_TO_FIVE, [30, *[5] * 61, 15, 5], 4).wanted == 2
    assert verdict(ONE_TO_FIVE, [*[5] * 61], 4) == Verdict(
        1, "at most 5 calls under way or waiting for 60 s, 10 each"
    )


def test_it_sleeps_only_when_nothing_was_there_all_the_time() -> None:
    """A single call is one too many; a single one also wakes it."""
    assert verdict(MAY_SLEEP, [0] * 61, 2) == Verdict(0, "no call for 60 s")
    assert verdict(MAY_SLEEP, [*[0] * 30, 1, *[0] * 30], 2).wanted == 1
    assert verdict(MAY_SLEEP, [0, 1], 0) == Verdict(1, "1 call under way or waiting, 10 each")
    assert verdict(ONE_TO_FIVE, [0] * 99, 1).wanted == 1


def test_who_does_not_answer_loses_nothing() -> None:
    """A replica that is silent may be the busiest."""
    course = Course(MAY_SLEEP)
    for second in range(90):
        course = course.seen(float(second), Demand(0, is_whole=second != 45), 3)
    assert course.verdict(3) == Verdict(3, "")


def test_what_is_gone_is_not_woken_for_its_silence() -> None:
    """Somebody else may have put it to sleep: it does not answer then, and nobody asks for it."""
    course = Course(MAY_SLEEP).seen(0.0, Demand(0, is_whole=False), 1)
    assert course.verdict(0) == Verdict(0, "")


def test_other_bounds_hold_at_once() -> None:
    """A push may have changed them."""
    assert verdict(Scaling(2, 4, 10), [0], 1) == Verdict(2, "at least 2 should run")
    assert verdict(Scaling(0, 4, 10), [100], 9) == Verdict(4, "at most 4 may run")


@given(scalings(), st.integers(0, 300))
def test_needed_is_the_least_that_is_enough(scaling: Scaling, calls: int) -> None:
    needed = needed_for(scaling, calls)
    assert needed == scaling.most or needed * scaling.target_concurrency >= calls
    if needed > max(scaling.least, 1):
        assert (needed - 1) * scaling.target_concurrency < calls
    assert math.copysign(1, needed) == 1


# --- who needs what --------------------------------------------------------------------------


def sleepy(*names: str) -> Release:
    """Ask calls Embed and Rank, Rank calls Score; those that are named may sleep, the others always run."""
    compute = {"min_replicas": 0, "max_replicas": 4, "target_concurrency": 2}
    specs = [chainlet(name, config={"compute": compute}) for name in names]
    graph = graph_of({"Ask": ["Embed", "Rank"], "Embed": [], "Rank": ["Score"], "Score": []}, specs=specs)
    return release_of(graph)


def by_chainlet(release: Release, found: dict[str, Demand]) -> dict[str, tuple[int, str]]:
    names = {service.name: service.chainlet for service in release.services}
    return {names[name]: (demand.calls, demand.woken_by) for name, demand in found.items()}


ALL = ("Ask", "Embed", "Rank", "Score")


def test_a_held_request_wakes_all_that_it_may_reach() -> None:
    """At the same time: one after the other their starts would add up."""
    release = sleepy(*ALL)
    found = demands(release, Loads(held=3), {})
    assert by_chainlet(release, found) == {
        "Ask": (3, ""), "Embed": (0, "Ask"), "Rank": (0, "Ask"), "Score": (0, "Ask"),
    }  # fmt: skip


def test_a_call_that_is_held_by_its_caller_wakes_what_it_waits_for() -> None:
    """And what that calls in turn; nothing beside it."""
    release = sleepy("Embed", "Rank", "Score")
    ask, rank = release.service_of("Ask").name, release.service_of("Rank").name
    loads = Loads({ask: ServiceLoad(5, 0, {rank: 5})})
    found = demands(release, loads, {ask: 1})
    assert by_chainlet(release, found) == {"Embed": (0, ""), "Rank": (5, ""), "Score": (0, "Rank")}


def test_what_is_awake_needs_what_it_says() -> None:
    """Calls under way and waiting, of all replicas; of fewer answers than replicas it is not all."""
    release = sleepy(*ALL)
    ask = release.service_of("Ask").name
    loads = Loads({ask: ServiceLoad(2, 3) + ServiceLoad(1, 0)})
    assert demands(release, loads, {ask: 2})[ask] == Demand(6)
    assert demands(release, loads, {ask: 3})[ask] == Demand(6, is_whole=False)


def test_what_follows_no_load_is_not_asked_for() -> None:
    assert demands(sleepy(), Loads(held=9), {}) == {}


def test_a_load_is_read_as_a_service_tells_it() -> None:
    told = {"under_way": 2, "waiting": 1, "awaited": {"shop-pay-1": 3}, "more": None}
    assert load_of(told) == ServiceLoad(2, 1, {"shop-pay-1": 3})
    assert load_of(told) + ServiceLoad(awaited={"shop-pay-1": 1}) == ServiceLoad(2, 1, {"shop-pay-1": 4}, 2)
