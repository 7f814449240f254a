"""`python -m tests.bench.releases [--quick]`: releases under load, some of them broken; docs/benchmarks-releases.md.

The containers run on an engine of our own, which is killed once in the middle; the local processes lose
their supervisors instead. Nothing of it is left in the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from chainctl.adapters.local.paths import LocalPaths
from tests.bench.host import load_average, this_host
from tests.bench.peers.peer import ROOT
from tests.bench.private_engine import private_engine
from tests.bench.release_chain import ENTRYPOINTS, Edition, Fault, write_sources
from tests.bench.release_log import Seen, Tried, tally
from tests.bench.release_report import Course, report

RELEASES = 30
KILLED = "killed in the middle"
DRAIN_SEC = 4
SETTLE_SEC = 1.0
_PUSH_SEC = 240
_MIDDLE = " service "


def true_codes(fault: Fault, target: str) -> tuple[int, ...]:
    """Return what a push of a broken release must end with."""
    if fault is Fault.SECRET:
        return (2,)
    if fault is Fault.BUILD:
        return (4,) if target == "docker" else (2,)  # local processes build nothing: a package is missing
    return (5,)


@dataclass
class Bench:
    """Three chains on one target, pushed side by side; `kill` ends what they run on and brings it back."""

    directory: Path
    target: str
    extra: Mapping[str, str]
    kill: Callable[[Bench], None]
    ports: Mapping[str, int] = field(default_factory=lambda: _free_ports(ENTRYPOINTS))
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:6])
    edition: Edition = field(default_factory=Edition)

    @property
    def sources(self) -> Path:
        return self.directory / "chain"

    def name(self, entrypoint: str) -> str:
        return f"rel-{self.mark}-{entrypoint}"

    def environ(self, entrypoint: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CHAINCTL_", "XDG_")) and k != "CI"}
        return {
            **kept,
            "XDG_STATE_HOME": str(self.directory / "state"),
            "XDG_CONFIG_HOME": str(self.directory / "config"),
            "CHAINCTL_BUILD_NETWORK": "host",
            "CHAINCTL_DRAIN_SEC": str(DRAIN_SEC),
            "CHAINCTL_PORT": str(self.ports[entrypoint]),
            **self.extra,
        }

    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{self.ports[entrypoint]}" for entrypoint in ENTRYPOINTS]

    def write(self, edition: Edition) -> None:
        write_sources(self.sources, edition, self.target)

    def push(self, on_line: Callable[[str], None] = lambda line: None) -> list[tuple[int, str]]:
        """Push all chains side by side; for each its exit code and last lines."""
        with ThreadPoolExecutor(len(ENTRYPOINTS)) as pool:
            return list(pool.map(lambda entrypoint: self._push(entrypoint, on_line), ENTRYPOINTS))

    def down(self) -> None:
        for entrypoint in ENTRYPOINTS:
            command = [*_COMMAND, "down", self.name(entrypoint), "--target", self.target]
            subprocess.run(command, env=self.environ(entrypoint), capture_output=True, check=False)

    def _push(self, entrypoint: str, on_line: Callable[[str], None]) -> tuple[int, str]:
        file, name = str(self.sources / f"{entrypoint}.py"), self.name(entrypoint)
        process = subprocess.Popen(
            [*_COMMAND, "push", file, "--name", name, "--target", self.target],
            env=self.environ(entrypoint), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        lines = []
        with process.stderr:
            for line in process.stderr:
                lines.append(line.strip())
                on_line(line)
        return process.wait(_PUSH_SEC), " | ".join(lines[-6:])


_COMMAND = (sys.executable, "-m", "chainctl.cli.main")


def main(arguments: Sequence[str]) -> None:
    """Release on both targets and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.releases", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few releases, and print only")
    parser.add_argument("--releases", type=int, default=0, help="another number of releases")
    parser.add_argument("--target", choices=["docker", "local"], help="one target, and print only")
    parser.add_argument("--keep", type=Path, help="file for everything that callers saw")
    given = parser.parse_args(arguments)
    count = given.releases or (10 if given.quick else RELEASES)
    started, load = time.time(), load_average()
    courses = [run(target, count, given.keep) for target in _TARGETS if given.target in (None, target)]
    text = report(courses, this_host(), started, time.time() - started, load)
    if not (given.quick or given.target):
        (ROOT / "docs" / "benchmarks-releases.md").write_text(text, encoding="utf-8")
    print(text)
    for course in courses:
        print("\n".join(course.tally.wrong[:40]), file=sys.stderr)
    sys.exit(0 if all(course.tally.is_clean for course in courses) else 1)


def run(target: str, count: int, keep: Path | None = None) -> Course:
    """Make a first release, then `count` more under load; what came of it."""
    directory = Path(tempfile.mkdtemp(prefix="bench-releases-"))
    try:
        with _TARGETS[target](directory) as bench:
            bench.write(bench.edition)
            first = _tried(bench, 1, "good", bench.edition.marks, (0,))
            if not first.is_truthful:
                raise SystemExit(f"the first release failed: {first.messages}")
            seen, tried = _under_load(bench, count)
            everything = [first, *tried]
        if keep is not None:
            keep.write_text("".join(json.dumps(one.line()) + "\n" for one in seen))
        return Course(target, tuple(everything), tally(seen, everything))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _under_load(bench: Bench, count: int) -> tuple[list[Seen], list[Tried]]:
    out = bench.directory / "seen"
    callers = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.release_load", *bench.urls(), str(out)],
        stdin=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    tried = []
    try:
        for number, fault in enumerate(course_of(count), start=2):
            tried.append(_release(bench, number, fault))
            print(f"{bench.target} {number}: {tried[-1].what} {tried[-1].codes}", file=sys.stderr, flush=True)
            threading.Event().wait(SETTLE_SEC)
    finally:
        assert callers.stdin is not None
        callers.stdin.close()
        callers.wait(60)
    return [Seen.of(json.loads(line)) for line in out.read_text().splitlines()], tried


def course_of(count: int) -> list[Fault | str]:
    """Return what is wrong with each release, "" for nothing; every fault once, spread over all."""
    wrongs: list[Fault | str] = [*Fault, KILLED]
    course: list[Fault | str] = [""] * max(0, count - len(wrongs))
    for index, wrong in enumerate(wrongs):
        course.insert(min(len(course), 1 + index * count // len(wrongs)), wrong)
    return course


def _release(bench: Bench, number: int, fault: Fault | str) -> Tried:
    if isinstance(fault, Fault):
        broken = bench.edition.broken(number, fault)
        bench.write(broken)
        return _tried(bench, number, fault.value, broken.marks, true_codes(fault, bench.target))
    bench.edition = bench.edition.edited(number)
    bench.write(bench.edition)
    if fault == KILLED:
        return _killed(bench, number)
    return _tried(bench, number, "good", bench.edition.marks, (0,))


def _tried(bench: Bench, number: int, what: str, marks: tuple[str, ...], wanted: tuple[int, ...]) -> Tried:
    began = time.time()
    ends = bench.push()
    return Tried(
        number, what, began, time.time(), marks, tuple(code for code, _ in ends), wanted,
        is_good=wanted == (0,), messages=tuple(said for code, said in ends if code not in wanted),
    )  # fmt: skip


def _killed(bench: Bench, number: int) -> Tried:
    """Kill what the chains run on when the first service starts; push again until that is done."""
    began, killed = time.time(), list[float]()

    def on_line(line: str) -> None:
        if _MIDDLE in line and not killed:
            killed.append(time.time())
            bench.kill(bench)

    ends = bench.push(on_line)
    codes = [code for code, _ in ends]
    again = bench.push()
    wanted = (0, 5, 6)
    is_done = all(code == 0 for code, _ in again)
    since = killed[0] if killed else began
    what = f"{'engine' if bench.target == 'docker' else 'supervisor'} {KILLED}"
    return Tried(
        number, what, began, time.time(), bench.edition.marks,
        tuple(codes if is_done else [code for code, _ in again]),
        wanted if is_done else (0,), away=(since, time.time()),
        messages=tuple(said for code, said in (again if not is_done else ends) if code not in wanted),
    )  # fmt: skip


@contextlib.contextmanager
def _docker(directory: Path) -> Iterator[Bench]:
    """Chains on an engine of our own."""
    shared = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    with private_engine(shared) as engine:

        def kill(_: Bench) -> None:
            engine.kill()
            engine.start()

        bench = Bench(directory, "docker", {"DOCKER_HOST": engine.host}, kill)
        try:
            yield bench
        finally:
            bench.down()


@contextlib.contextmanager
def _local(directory: Path) -> Iterator[Bench]:
    """Chains as processes of this machine."""
    bench = Bench(directory, "local", {}, _kill_supervisors)
    try:
        yield bench
    finally:
        bench.down()


def _kill_supervisors(bench: Bench) -> None:
    root = bench.directory / "state" / "chainctl" / "run"
    paths = LocalPaths.of(root, xdg_runtime_dir=None, uid=os.getuid())
    for entrypoint in ENTRYPOINTS:
        for pid in supervisors_of(paths.run(bench.name(entrypoint)).runtime):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def supervisors_of(runtime: Path) -> list[int]:
    """Return the processes that supervise at a place."""
    wanted = [b"chainctl.adapters.local.supervisor", os.fsencode(runtime)]
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            if all(word in words for word in wanted):
                found.append(int(entry.name))
    return found


def _free_ports(names: Sequence[str]) -> dict[str, int]:
    """Choose ports that nobody listens on, and that no engine gives away by itself."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in names]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return {name: int(one.getsockname()[1]) for name, one in zip(names, sockets, strict=True)}


_TARGETS: Mapping[str, Callable[[Path], contextlib.AbstractContextManager[Bench]]] = {
    "docker": _docker,
    "local": _local,
}


if __name__ == "__main__":
    main(sys.argv[1:])
