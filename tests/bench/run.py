"""`python -m tests.bench.run [--quick]`: chainctl and its peers side by side, in turns; writes docs/benchmarks.*."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import cli_start
from tests.bench.cancel import cancel_ms
from tests.bench.host import load_average, spin_ms, this_host
from tests.bench.load_process import LoadProcess
from tests.bench.peers.cast import cast_of
from tests.bench.peers.chain_services import Package
from tests.bench.peers.peer import ROOT
from tests.bench.plot import plot
from tests.bench.report import Run, report
from tests.bench.retries import calls_per_call
from tests.bench.samples import Samples
from tests.bench.stage import StartError
from tests.bench.targets import OURS
from tests.bench.troupe import Troupe, in_turn, playing
from tests.bench.venvs import cache_directory
from tests.bench.workloads import LOADS, Workload


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    quick: bool
    rounds: int
    seconds: float
    only: frozenset[str]
    peers: frozenset[str]
    package: Path
    array_form: str
    out: Path


def main(arguments: Sequence[str]) -> None:
    """Run everything and write the report."""
    options = _options(arguments)
    package = Package(options.package, cache_directory(os.environ))
    samples, troupe, spins = Samples(), Troupe(), []
    started = time.time()
    directory = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        for number, peer in enumerate(cast_of(package, options.array_form, quick=options.quick)):
            if not options.peers or any(wanted in peer.name for wanted in options.peers):
                _say(f"starting {peer.name}")
                troupe.engage(peer, directory / str(number), package.cache)
        troupe.note_facts(samples)
        with LoadProcess() as load:
            for number in range(options.rounds):
                spins.append(spin_ms())
                _round(number, troupe, load, samples, options)
        versions = {player.peer.name: player.version for player in troupe.players if player.version}
        versions[OURS] = package.version()
        notes = {player.peer.name: player.scene.notes for player in troupe.players if player.scene.notes}
    finally:
        troupe.end()
        shutil.rmtree(directory, ignore_errors=True)
    _own_measures(package, samples, options)
    run = Run(
        samples, this_host(), spins, load_average(), started, time.time() - started, options.rounds,
        options.seconds, versions, {**troupe.absent}, notes, options.quick, options.array_form,
    )  # fmt: skip
    _write(run, options.out)


def _round(number: int, troupe: Troupe, load: LoadProcess, samples: Samples, options: Options) -> None:
    for workload in LOADS:
        if options.only and workload.key not in options.only:
            continue
        _say(f"round {number + 1}/{options.rounds}: {workload.title}")
        for player in in_turn(troupe.players, number):
            target = player.scene.targets.get(workload.call)
            if target is None:
                continue
            if error := samples.errors.get((workload.key, player.peer.name)):
                samples.fail(workload.key, player.peer.name, error)
                continue
            with playing(player):
                outcome = load.measure(workload.job(target, options.seconds))
            _note(samples, workload, player.peer.name, outcome.error, workload.figure(outcome))


def _note(samples: Samples, workload: Workload, peer: str, error: str, figure: float) -> None:
    if error:
        _say(f"  {peer}: {error}")
        samples.fail(workload.key, peer, error)
    else:
        samples.add(workload.key, peer, figure)


def _own_measures(package: Package, samples: Samples, options: Options) -> None:
    """Measure what only chainctl does."""
    measures = {"cancel": cancel_ms, "retries": calls_per_call}
    for key, measure in measures.items():
        if options.only and key not in options.only:
            continue
        _say(f"measuring {key}")
        try:
            for value in measure(package, 3 if options.quick else 10):
                samples.add(key, OURS, value)
        except (StartError, TimeoutError, ConnectionError) as error:
            samples.fail(key, OURS, f"{type(error).__name__}: {error}")
    if not options.only or "cli" in options.only:
        _note_cli(samples, 3 if options.quick else 10)


def _note_cli(samples: Samples, rounds: int) -> None:
    measured = cli_start.measure(rounds)
    places = {
        cli_start.HELP: ("cli", OURS),
        cli_start.COMPLETE: ("completion", OURS),
        cli_start.BASE: ("cli", "a minimal Typer application"),
    }
    for name, place in places.items():
        for value in measured[name]:
            samples.add(*place, value * 1000)


def _write(run: Run, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    page = out / "benchmarks.md"
    page.write_text(report(run), encoding="utf-8")
    (out / "benchmarks.svg").write_text(plot(run.samples), encoding="utf-8")
    print(page.read_text(encoding="utf-8"))


def _options(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="chainctl, the floor and one peer; short rounds")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each measurement")
    parser.add_argument("--only", default="", help="keys of workloads, with commas")
    parser.add_argument("--peers", default="", help="parts of names of peers, with commas")
    parser.add_argument("--package", type=Path, default=ROOT, help="root of the chainctl to measure")
    parser.add_argument("--array-form", choices=("msgpack", "frame"), default="frame")
    parser.add_argument("--out", type=Path, help="directory of the report")
    given = parser.parse_args(arguments)
    default_out = Path(tempfile.gettempdir()) / "chainctl-bench-quick" if given.quick else ROOT / "docs"
    return Options(
        quick=given.quick,
        rounds=given.rounds or (9 if given.quick else 15),
        seconds=given.seconds or (0.25 if given.quick else 0.4),
        only=frozenset(filter(None, given.only.split(","))),
        peers=frozenset(filter(None, given.peers.split(","))),
        package=given.package.resolve(),
        array_form=given.array_form,
        out=given.out or default_out,
    )


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
