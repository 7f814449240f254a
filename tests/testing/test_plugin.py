"""Chains in users' tests: at each fidelity, with fakes that are checked, and with their calls recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import fresh_environ

pytest_plugins = ["pytester"]
SHOP = """\
import chainctl as chains


class Double(chains.ChainletBase):
    remote_config = chains.RemoteConfig(assets=chains.Assets(secret_keys=["t_factor"]))

    def __init__(self, context: chains.DeploymentContext = chains.depends_context()) -> None:
        self._factor = int(context.secrets["t_factor"])

    def run_remote(self, number: int) -> int:
        return self._factor * number


class Count(chains.ChainletBase):
    async def run_remote(self, until: int) -> "AsyncIterator[int]":
        for number in range(until):
            yield number


@chains.mark_entrypoint("t-testing")
class Sum(chains.ChainletBase):
    def __init__(self, double: Double = chains.depends(Double)) -> None:
        self._double = double

    def run_remote(self, numbers: list[int]) -> int:
        return sum(self._double.run_remote(n) for n in numbers)


class Wait(chains.ChainletBase):
    def __init__(self, count: Count = chains.depends(Count)) -> None:
        self._count = count

    async def run_remote(self, until: int) -> list[int]:
        return [number async for number in self._count.run_remote(until)]
""".replace("import chainctl", "from collections.abc import AsyncIterator\n\nimport chainctl", 1).replace(
    '"AsyncIterator[int]"', "AsyncIterator[int]"
)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A directory with a chain file, and a state of its own."""
    for name, value in fresh_environ(Path(pytester.path)).items():
        monkeypatch.setenv(name, value)
    pytester.makepyfile(shop=SHOP)
    return pytester


def passed(project: pytest.Pytester, text: str, *arguments: str, count: int = 1) -> None:
    """Run tests of a user's, all of which must pass."""
    project.makepyfile(test_shop=text)
    result = project.runpytest_subprocess(*arguments)
    assert result.parseoutcomes() == {"passed": count}, result.stdout.str()


def failed(project: pytest.Pytester, text: str) -> str:
    """Run a test of a user's that must fail; what is told of it."""
    project.makepyfile(test_shop=text)
    result = project.runpytest_subprocess("--tb=short")
    assert result.parseoutcomes() == {"failed": 1}
    return result.stdout.str()


def test_three_lines_are_a_test(project: pytest.Pytester) -> None:
    """A file, a call, an answer; calls between chainlets can be asked for."""
    passed(project, '''
        def test_sum(chain):
            with chain("shop.py", secrets={"t_factor": "2"}) as running:
                assert running.run_remote([1, 2]) == 6
                assert [str(call) for call in running.calls] == [
                    "Sum(numbers=[1, 2]) → 6", "Double(number=1) → 2", "Double(number=2) → 4",
                ]
    ''')  # fmt: skip


def test_a_fake_stands_for_a_chainlet_at_each_fidelity(project: pytest.Pytester) -> None:
    """A class or an object, in the test's own process each time, so that its calls are seen."""
    passed(project, '''
        import pytest
        from shop import Double, Sum

        class Ten:
            def __init__(self, base=10):
                self.base = base
            def run_remote(self, number: int) -> int:
                return self.base

        @pytest.mark.parametrize("fake", [Ten, Ten(10)])
        def test_sum(chain_at_each_fidelity, fake):
            with chain_at_each_fidelity(Sum, fakes={Double: fake}) as running:
                assert running.run_remote([1, 2]) == 20
                assert [call.arguments for call in running.calls_of(Double)] == [{"number": 1}, {"number": 2}]
    ''', count=6)  # fmt: skip


def test_what_is_async_and_streams_is_so_in_tests(project: pytest.Pytester) -> None:
    """The items of a stream are recorded as they came."""
    passed(project, '''
        import asyncio
        from shop import Count, Wait

        def test_wait(chain_at_each_fidelity):
            with chain_at_each_fidelity(Wait) as running:
                assert asyncio.run(running.run_remote(3)) == [0, 1, 2]
                if running.url is None:
                    (call,) = running.calls_of(Count)
                    assert call.result == [0, 1, 2]
    ''', count=3)  # fmt: skip


def test_the_fidelity_of_all_tests_is_chosen_on_the_command_line(project: pytest.Pytester) -> None:
    """But for those that name one."""
    passed(project, '''
        def test_sum(chain):
            with chain("shop.py", secrets={"t_factor": "2"}) as running:
                assert running.fidelity == "codec"
            with chain("shop.py", fidelity="inline", secrets={"t_factor": "2"}) as running:
                assert running.fidelity == "inline"
    ''', "--chainctl-fidelity", "codec")  # fmt: skip


def test_a_fake_with_another_signature_is_told_with_its_place(project: pytest.Pytester) -> None:
    """And what it stands for; no traceback of ours."""
    said = failed(project, '''
        from shop import Double, Sum

        class Wrong:
            def run_remote(self, number: str) -> int:
                return 10

        def test_sum(chain):
            with chain(Sum, fakes={Double: Wrong}) as running:
                running.run_remote([1])
    ''')  # fmt: skip
    assert "error[CH1002]: `Wrong.run_remote` takes `number` as `str`, not `int`" in said
    assert "test_shop.py:4" in said
    assert "chainctl/testing" not in said


@pytest.mark.parametrize(
    ("use", "told"),
    [
        ('chain(Sum, fakes={"Nobody": Double})', "has no chainlet called Nobody"),
        ('chain(Sum, fidelity="perfect")', "there is no fidelity perfect"),
        ('chain("nowhere.py")', "nowhere.py"),
        ('chain(Sum, fidelity="process", fakes={Sum: Three})', "Sum is the entrypoint"),
        ('chain(Sum, fidelity="deployed", fakes={Double: Double})', "a chain that is deployed has no fakes"),
    ],
)
def test_what_can_not_be_run_says_why(project: pytest.Pytester, use: str, told: str) -> None:
    """In the test's own words."""
    said = failed(project, f'''
        from shop import Double, Sum

        class Three:
            def run_remote(self, numbers: list[int]) -> int:
                return 3

        def test_sum(chain):
            with {use} as running:
                running.run_remote([1])
    ''')  # fmt: skip
    assert told in said


def test_a_secret_is_seen_by_who_declares_it(project: pytest.Pytester) -> None:
    """As deployed: others get an error that names it."""
    said = failed(project, '''
        import chainctl as chains

        class Thief(chains.ChainletBase):
            def __init__(self, context: chains.DeploymentContext = chains.depends_context()) -> None:
                self._value = context.secrets["t_factor"]
            def run_remote(self) -> str:
                return self._value

        def test_theft(chain):
            with chain(Thief, secrets={"t_factor": "2"}) as running:
                running.run_remote()
    ''')  # fmt: skip
    assert "t_factor" in said


def test_calls_that_are_not_seen_are_not_said_to_be_none(project: pytest.Pytester) -> None:
    """They happen in other processes; the hint says where they are seen."""
    said = failed(project, '''
        from shop import Double, Sum

        def test_sum(chain):
            with chain(Sum, fidelity="process", secrets={"t_factor": "2"}) as running:
                assert running.run_remote([1]) == 2
                assert running.calls_of(Double) == []
    ''')  # fmt: skip
    assert "the calls of Double happen in other processes at the fidelity process" in said


def test_interfaces_are_compared(project: pytest.Pytester) -> None:
    """Each change that breaks callers is told; what only adds is none."""
    project.makepyfile(newer=SHOP.replace("numbers: list[int]", "numbers: list[int], more: int = 0"))
    project.makepyfile(other=SHOP.replace("numbers: list[int]", "numbers: list[str]"))
    passed(project, '''
        from chainctl.testing import assert_compatible

        def test_newer():
            assert_compatible("shop.py", "newer.py")
    ''')  # fmt: skip
    said = failed(project, '''
        from chainctl.testing import assert_compatible

        def test_other():
            assert_compatible("shop.py", "other.py")
    ''')  # fmt: skip
    assert "callers of the old version break" in said
    assert "numbers" in said


def test_the_plugin_imports_nothing_of_ours_before_it_is_used(project: pytest.Pytester) -> None:
    """It is loaded in every run of pytest of whoever has chainctl installed."""
    passed(project, '''
        import sys

        def test_light():
            ours = {name for name in sys.modules if name.startswith("chainctl.")}
            assert ours <= {"chainctl.testing", "chainctl.testing.plugin", "chainctl.version"}, ours
    ''')  # fmt: skip
