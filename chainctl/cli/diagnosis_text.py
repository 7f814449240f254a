"""Findings in; a table for a terminal, plain lines for everything else, or JSON values out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from chainctl.cli.diagnosis_finding import Finding, Status
from chainctl.cli.output import table
from chainctl.cli.settings import Settings

_COLORS = {Status.OK: 32, Status.WARN: 33, Status.FAIL: 31, Status.SKIP: 90}


def findings_lines(findings: Sequence[Finding]) -> str:
    """One line a finding: "warn: base image: … (fix: …)"."""
    return "\n".join(
        f"{f.status}: {f.check}: {f.found}" + (f" (fix: {f.fix})" if f.fix else "") for f in findings
    )


def findings_table(findings: Sequence[Finding], *, is_colored: bool) -> str:
    """Columns; what mends a finding is on a line of its own below it."""
    width = max(len(finding.check) for finding in findings)
    lines = []
    for f in findings:
        mark = f.status.ljust(4)
        shown = f"\x1b[{_COLORS[f.status]}m{mark}\x1b[0m" if is_colored else mark
        lines.append(f"{shown}  {f.check.ljust(width)}  {f.found}")
        if f.fix:
            lines.append(f"{' ' * (width + 8)}→ {f.fix}")
    return "\n".join(lines)


def findings_json(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Findings as JSON values."""
    return [{"check": f.check, "status": str(f.status), "found": f.found, "fix": f.fix} for f in findings]


def total_of(findings: Sequence[Finding]) -> str:
    """Count what failed and what is warned of."""
    counts = Counter(finding.status for finding in findings)
    return f"{counts[Status.FAIL]} failed, {counts[Status.WARN]} to look at, {counts[Status.OK]} in order."


def settings_rows(settings: Settings, origins: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every setting with its value and who decided it."""
    values = settings.model_dump(mode="json")
    fields = type(settings).model_fields
    return [
        {"key": k, "value": values[k], "origin": origins.get(k, "default"), "meaning": f.description}
        for k, f in fields.items()
    ]


def settings_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Settings as columns."""
    header = ["SETTING", "VALUE", "ORIGIN", "MEANING"]
    return table(header, [[r["key"], _shown(r["value"]), r["origin"], r["meaning"]] for r in rows])


def _shown(value: object) -> str:
    if value is None or value == []:
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
