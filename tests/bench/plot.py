"""Samples in, an SVG out: for each workload the times of all as multiples of the floor's, on a log scale. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from tests.bench.samples import Samples
from tests.bench.targets import FLOOR
from tests.bench.workloads import LOADS, Workload

_WIDTH, _LEFT, _RIGHT = 900, 200, 70
_ROW, _TITLE, _GAP, _TOP = 18, 24, 12, 34
_COLOURS = {"chainctl": "#0b6e4f", "floor": "#8a8f98"}
_OTHERS = "#5b7db1"


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: who, and how many times the floor's time."""

    who: str
    times: float


def plot(samples: Samples) -> str:
    """Draw it. Throughput is drawn as time per call, so that shorter is better everywhere."""
    groups = [(workload, bars_of(samples, workload)) for workload in LOADS]
    groups = [(workload, bars) for workload, bars in groups if len(bars) > 1]
    most = max((bar.times for _, bars in groups for bar in bars), default=10.0)
    decades = max(1.0, math.ceil(math.log10(most) * 2) / 2)
    height = _TOP + sum(_TITLE + _ROW * len(bars) + _GAP for _, bars in groups)
    parts = [_heading(height), *_grid(decades, height)]
    top = _TOP
    for workload, bars in groups:
        parts += _group(workload, bars, top, decades)
        top += _TITLE + _ROW * len(bars) + _GAP
    return "\n".join([*parts, "</svg>", ""])


def bars_of(samples: Samples, workload: Workload) -> list[Bar]:
    """Return the bars of a workload, the shortest first."""
    base = "shared1" if workload.key.startswith("shared") else workload.key
    bars = []
    for peer in samples.peers():
        ratio = samples.ratio(workload.key, peer, (base, FLOOR))
        if ratio is not None and ratio.median > 0:
            bars.append(Bar(peer, 1 / ratio.median if workload.unit == "req/s" else ratio.median))
    return sorted(bars, key=lambda bar: bar.times)


def _heading(height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>'
    )


def _grid(decades: float, height: int) -> list[str]:
    marks = [factor * 10**decade for decade in range(math.ceil(decades) + 1) for factor in (1, 3)]
    lines = []
    for mark in (m for m in marks if math.log10(m) <= decades):
        x = _x(mark, decades)
        lines.append(f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{height}" stroke="#ddd"/>')
        lines.append(f'<text x="{x:.1f}" y="{_TOP - 14}" text-anchor="middle" fill="#555">{mark:g}×</text>')
    return lines


def _group(workload: Workload, bars: list[Bar], top: int, decades: float) -> list[str]:
    parts = [f'<text x="8" y="{top + 14}" font-weight="bold">{escape(workload.title)}</text>']
    for index, bar in enumerate(bars):
        y = top + _TITLE + index * _ROW
        end = max(_x(bar.times, decades), _LEFT + 2)
        colour = _COLOURS.get(bar.who.split(" ")[0].rstrip(","), _OTHERS)
        parts += [
            f'<text x="{_LEFT - 8}" y="{y + 11}" text-anchor="end">{escape(bar.who)}</text>',
            f'<rect x="{_LEFT}" y="{y}" width="{end - _LEFT:.1f}" height="{_ROW - 4}" fill="{colour}"/>',
            f'<text x="{end + 4:.1f}" y="{y + 11}" fill="#333">{bar.times:.3g}×</text>',
        ]
    return parts


def _x(times: float, decades: float) -> float:
    share = max(0.0, math.log10(times)) / decades
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)
