"""`python -m tests.soak.crash [POINTS] [--seed N] [--target T]`: pushes killed anywhere in; what was wrong out.

Half of the points are on either target: after a random line of output or a random time, of a first push or of
a change, followed by the same push, by another one, or by `down`. On local processes some kill the supervisor.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.soak.crash_project import CrashProject, Point, crash_project

POINTS = 200
_LINES = 30
_LONGEST_SEC = {"local": 3.5, "docker": 7.0}
_AFRESH = 0.25
_SUPERVISOR = 0.2


def random_point(dice: random.Random, target: str) -> Point:
    """Choose where a push dies and what follows."""
    is_supervisor = target == "local" and dice.random() < _SUPERVISOR
    then = dice.choice(("same", "same", "edit", "edit", "down"))
    if dice.random() < 0.5:
        return Point(line=dice.randint(1, _LINES), then=then, supervisor=is_supervisor)
    return Point(seconds=dice.uniform(0.05, _LONGEST_SEC[target]), then=then, supervisor=is_supervisor)


def soak(target: str, points: int, seed: int) -> list[str]:
    """Kill pushes at random points of one chain; return what was wrong."""
    dice, wrong = random.Random(f"{target} {seed}"), list[str]()
    with tempfile.TemporaryDirectory(prefix="crash-") as place, crash_project(Path(place), target) as project:
        for number in range(1, points + 1):
            point = random_point(dice, target)
            said = _survived(project, point, is_first=dice.random() < _AFRESH)
            print(f"{target} {number}: {point}: {said}", flush=True)
            if said.startswith("WRONG"):
                wrong.append(f"{target} {number} (seed {seed}): {point}: {said}")
    return wrong


def _survived(project: CrashProject, point: Point, *, is_first: bool) -> str:
    try:
        if is_first:
            project.down_if_there()
        project.edit()
        return project.survive(point)
    except AssertionError as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = f"WRONG: {where.name}:{where.lineno} {where.line} {error}"
        project.down_if_there()
        return said


def main(arguments: Sequence[str]) -> None:
    """Soak both targets."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.crash", description=__doc__)
    parser.add_argument("points", type=int, nargs="?", default=POINTS)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--target", choices=sorted(_LONGEST_SEC))
    given = parser.parse_args(arguments)
    targets = [given.target] if given.target else sorted(_LONGEST_SEC)
    wrong = [line for target in targets for line in soak(target, given.points // len(targets), given.seed)]
    print(f"{given.points} points, seed {given.seed}: {len(wrong)} wrong", *wrong, sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
