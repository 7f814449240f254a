"""Loads on a chain that runs: the report, assertions, an address, and Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from tests.conftest import Chainctl
from tests.scenarios.test_releases import Project, served

__all__ = ["served"]
NUMBERS = '{"numbers": [1, 2]}'
SHORT = ("--requests", "20", "--warmup", "0s", "--clients", "2")


def test_a_chain_is_measured(served: Project) -> None:
    """Every hop is found in the traces, every chainlet's use of what it has is told."""
    report = json.loads(served.run("bench", served.name, NUMBERS, *SHORT, "--json").stdout)
    assert (report["format_version"], report["schema_version"]) == (1, 1)
    assert (report["result"]["requests"], report["result"]["errors"]) == (20, 0)
    assert report["traced_requests"] == 20
    hops = {(hop["caller"], hop["chainlet"], hop["kind"]): hop["calls_per_request"] for hop in report["hops"]}
    assert hops == {
        (None, "Sum", "edge"): 1,
        (None, "Sum", "chainlet"): 1,
        ("Sum", "Double", "edge"): 2,
        (None, "Double", "chainlet"): 2,
    }
    assert {usage["chainlet"]: usage["predict_concurrency"] for usage in report["usage"]} == {
        "Sum": 1,
        "Double": 1,
    }
    assert all("places" in usage["utilisation"] for usage in report["usage"])
    assert {advice["chainlet"] for advice in report["advice"]["chainlets"]} == {"Sum", "Double"}


def test_assertions_decide_the_exit_code(served: Project) -> None:
    """The failed ones are named on stderr, with what was measured; the result is on stdout all the same."""
    kept = served.run("bench", served.name, NUMBERS, *SHORT, "--assert", "p99<10s", "--assert", "errors<1%")
    assert "ok      errors<1%: errors are 0.00%, the bound is < 1.00%" in kept.stdout
    failed = served.run("bench", served.name, NUMBERS, *SHORT, "--assert", "rate>1000000/s", expect=1)
    assert "FAILED  rate>1000000/s: rate is " in failed.stderr
    assert "requests  20 begun" in failed.stdout
    wrong = served.run("bench", served.name, NUMBERS, "--assert", "p95<1s", expect=2)
    assert (wrong.stdout, "did you mean `p99<1s`?" in wrong.stderr) == ("", True)


def test_a_call_that_fails_is_not_repeated_under_load(served: Project) -> None:
    """Its error is told as `call` tells it."""
    failed = served.run("bench", served.name, '{"numbers": "x"}', *SHORT, expect=7)
    assert (failed.stdout, "numbers" in failed.stderr) == ("", True)


def test_an_address_is_measured_without_its_chain(served: Project, tmp_path: Path) -> None:
    """Inputs are used in turn; nobody is asked what happened inside."""
    url = served.push().stdout.strip()
    inputs = tmp_path / "inputs.jsonl"
    inputs.write_text('{"numbers": [1]}\n{"numbers": [1, "x"]}\n', encoding="utf-8")
    shown = served.run("bench", "--url", url, "--inputs", str(inputs), *SHORT).stdout
    assert "errors    10 (50.00%)\n          10 × 422 invalid_input" in shown
    assert "HOP" not in shown


def test_an_interrupt_prints_what_there_is(served: Project) -> None:
    """Ctrl-C ends a load early; the exit code is 130."""
    chainctl = served._chainctl
    with subprocess.Popen(
        [*Chainctl.COMMAND, "bench", served.name, NUMBERS, "--duration", "1h", "--warmup", "0s", "--json",
         "--target", served.target],
        env=dict(chainctl.environ), cwd=chainctl.directory,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        try:
            assert process.stderr.readline().startswith("loading http")
            process.send_signal(signal.SIGINT)
            printed, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert told == "interrupted\n"
    assert json.loads(printed)["result"]["interrupted"] is True
