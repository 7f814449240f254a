"""The page and the plot that a run gives."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from tests.bench.host import Host
from tests.bench.plot import Bar, bars_of, plot
from tests.bench.report import Run, report
from tests.bench.samples import Samples
from tests.bench.targets import FLOOR, OURS
from tests.bench.workloads import ALL


def a_run() -> Run:
    """Return a run with two rounds of two workloads."""
    samples = Samples()
    for number in (1.0, 2.0):
        samples.add("hop1", FLOOR, 0.1 * number)
        samples.add("hop1", OURS, 0.2 * number)
        samples.add("hop32", FLOOR, 20_000.0)
        samples.add("hop32", OURS, 4_000.0)
    samples.fail("fan16", "Other & Sons", "status 500:\nbroken | pipe")
    return Run(
        samples=samples,
        host=Host("a processor", 2, 8.0, "Linux 6", "3.11.7"),
        spins=[10.0, 11.0, 12.0],
        load=1.5,
        started=0.0,
        seconds=60.0,
        rounds=2,
        seconds_each=0.5,
        versions={"Other & Sons": "1.2"},
        absent={"Absent": "pip found\nnothing"},
        notes={},
        is_quick=True,
        array_form="msgpack",
    )


def line_with(text: str, *words: str) -> str:
    """Return the only line that has all the words."""
    (line,) = [line for line in text.splitlines() if all(word in line for word in words)]
    return line


def test_bounds_have_ratio_and_verdict() -> None:
    """Both that are met and that are not."""
    page = report(a_run())
    assert line_with(page, "≤ 2.5×", "one hop, 1 client").endswith("| floor | ≤ 2.5× | 2 (2–2)× | pass |")
    assert line_with(page, "≥ 0.4×").endswith("| 0.2 (0.2–0.2)× | fail |")


def test_what_was_not_measured_is_said() -> None:
    """Bounds without figures have no verdict, and absent peers have their reason on one line."""
    page = report(a_run())
    assert line_with(page, "≤ 0.06×").endswith("| – | not measured |")
    assert "- Absent did not run: `pip found nothing`" in page
    assert (
        "- Other & Sons, 16 calls at once, 1 client, p50, not measured: `status 500: broken | pipe`" in page
    )


def test_absolute_figures_have_their_range() -> None:
    """Median, least and largest."""
    assert line_with(report(a_run()), "one hop, 1 client", "0.15 ms") == (
        "| one hop, 1 client, p50 | floor | 0.15 ms | 0.1 | 0.2 |"
    )


def test_the_machine_and_its_noise_are_said() -> None:
    """The reader can judge how much the figures are worth."""
    assert "18 % apart" in " ".join(report(a_run()).split())


def test_tables_are_whole() -> None:
    """Every row of a table has as many cells as its head."""
    widths: list[int] = []
    for line in report(a_run()).splitlines():
        if not line.startswith("| "):
            widths.clear()
            continue
        widths.append(line.count(" | "))
        assert widths[0] == widths[-1], line


def test_the_plot_is_svg_with_everybody_in_it() -> None:
    """Names are escaped."""
    samples = a_run().samples
    samples.add("hop1", "Other & Sons", 1.0)
    drawn = plot(samples)
    ElementTree.fromstring(drawn)  # raises when it is no XML
    assert "Other &amp; Sons" in drawn


def test_throughput_is_drawn_as_time() -> None:
    """A fifth of the throughput is five times the time; the shortest comes first."""
    assert bars_of(a_run().samples, ALL["hop32"]) == [Bar(FLOOR, 1.0), Bar(OURS, 5.0)]


def test_an_empty_run_still_gives_a_page_and_a_plot() -> None:
    """A run in which nobody came up says so."""
    page = report(replace(a_run(), samples=Samples()))
    assert page.startswith("# Benchmarks")
    ElementTree.fromstring(plot(Samples()))
