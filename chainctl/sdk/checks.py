"""A chainlet class in; everything that is wrong with its declaration out, each with its place."""

from __future__ import annotations

from chainctl.errors import Problem
from chainctl.sdk.config_checks import config_problems, file_problems
from chainctl.sdk.endpoint_checks import endpoint_problems
from chainctl.sdk.health_checks import health_problems
from chainctl.sdk.init_checks import init_problems
from chainctl.sdk.subject import Subject


def problems_of(cls: type) -> list[Problem]:
    """Check one class: configuration and the files that it names, `__init__`, `run_remote`, `is_healthy`."""
    return [*file_problems(Subject(cls)), *declaration_problems(cls)]


def declaration_problems(cls: type) -> list[Problem]:
    """Check one class where it runs: all but the files that its image was made from, which are not there."""
    subject = Subject(cls)
    checks = (config_problems, init_problems, endpoint_problems, health_problems)
    return [problem for check in checks for problem in check(subject)]
