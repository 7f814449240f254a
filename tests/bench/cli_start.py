"""Start-up of the command line against a minimal Typer application: whole processes, in turn, as ratios.

`python -m tests.bench.cli_start [ROUNDS]` prints medians in milliseconds and the ratio of each
round's pair. It is a measurement, not a test: nothing fails here.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

MINIMAL = '''
import typer

app = typer.Typer()


@app.command()
def hello(name: str) -> None:
    """Say hello."""
    print(name)


@app.command()
def bye(name: str) -> None:
    """Say bye."""
    print(name)


app()
'''
CHAINCTL = [str(Path(sys.executable).with_name("chainctl"))]
COMPLETION = {"_CHAINCTL_COMPLETE": "complete_bash", "COMP_WORDS": "chainctl pu", "COMP_CWORD": "1"}
BASE, HELP, COMPLETE = "minimal --help", "chainctl --help", "completion"


def seconds(command: Sequence[str], extra: Mapping[str, str]) -> float:
    """Run a command once and return its wall time."""
    started = time.perf_counter()
    subprocess.run(command, env={**os.environ, **extra}, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def measure(rounds: int) -> dict[str, list[float]]:
    """Measure all commands in turn, round by round, in seconds; the first round is not told."""
    with tempfile.TemporaryDirectory() as directory:
        minimal = Path(directory) / "minimal.py"
        minimal.write_text(MINIMAL, encoding="utf-8")
        measured: dict[str, list[float]] = {BASE: [], HELP: [], COMPLETE: []}
        for _ in range(rounds + 1):
            measured[BASE].append(seconds([sys.executable, str(minimal), "--help"], {}))
            measured[HELP].append(seconds([*CHAINCTL, "--help"], {}))
            measured[COMPLETE].append(seconds(CHAINCTL, COMPLETION))
    return {name: values[1:] for name, values in measured.items()}


def main(rounds: int) -> None:
    """Print the table."""
    measured = measure(rounds)
    for name, values in measured.items():
        ratios = [value / other for value, other in zip(values, measured[BASE], strict=True)]
        print(
            f"{name:16} {statistics.median(values) * 1000:7.0f} ms"
            f"   {statistics.median(ratios):5.2f} x minimal --help"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
