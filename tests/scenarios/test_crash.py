"""Pushes and supervisors killed at named points: the next push converges, and nothing is left over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.pushed_chain import TARGETS
from tests.soak.crash_project import Point, crash_project

FIRST = [Point("+ network", then="edit"), Point("? ready", then="down")]
CHANGE = [Point("~ service", then="edit"), Point("? ready", then="same"), Point("~ route", then="same")]


@pytest.mark.parametrize("target", TARGETS)
def test_a_killed_push_is_made_good_by_the_next(target: str, tmp_path: Path) -> None:
    """`kill -9` while a chain comes up and while it changes, then the same push, another one, or `down`."""
    with crash_project(tmp_path, target) as project:
        for point in FIRST:
            assert project.survive(point) == "ended with -9", point
            project.down_if_there()
        project.push()
        for point in CHANGE:
            project.edit()
            assert project.survive(point) == "ended with -9", point


@pytest.mark.alone
def test_what_served_comes_back_after_the_supervisor_was_killed(tmp_path: Path) -> None:
    """With the next push, at the same port, while another push goes on or not."""
    with crash_project(tmp_path, "local") as project:
        project.push()
        project.kill_supervisor()
        project.push()
        project.check_whole()
        project.edit()
        project.survive(Point("? ready", then="same", supervisor=True))
