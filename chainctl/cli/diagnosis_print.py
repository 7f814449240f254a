"""What `chainctl doctor` was asked in; findings or settings on stdout, and its exit code, out."""

from __future__ import annotations

import sys

from chainctl.cli.console import Console, has_color
from chainctl.cli.diagnosis import diagnose, exit_code
from chainctl.cli.diagnosis_facts import gather, origins
from chainctl.cli.diagnosis_text import (
    findings_json,
    findings_lines,
    findings_table,
    settings_rows,
    settings_table,
    total_of,
)
from chainctl.cli.output import print_result
from chainctl.cli.surroundings import settings_for
from chainctl.errors import ExitCode


def print_diagnosis(target: str | None, timeout_sec: float, *, as_json: bool) -> ExitCode:
    """Look, decide, print. Raises UsageError when there is no such target."""
    facts = gather(target, timeout_sec)
    findings = diagnose(facts)
    code = exit_code(facts, findings)
    if sys.stdout.isatty():
        text = findings_table(findings, is_colored=has_color(sys.stdout))
    else:
        text = findings_lines(findings)
    print_result(text, {"ok": code == ExitCode.OK, "checks": findings_json(findings)}, as_json=as_json)
    Console().line(total_of(findings))
    return code


def print_settings(target: str | None, *, as_json: bool) -> None:
    """Print every setting, its value and its origin. Raises UsageError when a source is wrong."""
    rows = settings_rows(settings_for(target=target), origins({"target": target}))
    print_result(settings_table(rows), {"settings": rows}, as_json=as_json)
