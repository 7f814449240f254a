"""Chains in users' tests: at each fidelity, with fakes that are checked, and with their calls recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import fresh_environ
from tests.scenarios.local_run import free_port

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
    """A class, which sees the secrets that it declares, or an object; its calls are seen each time."""
    passed(project, '''
        import chainctl as chains
        import pytest
        from shop import Double, Sum

        class Told(chains.ChainletBase):
            remote_config = chains.RemoteConfig(assets=chains.Assets(secret_keys=["t_factor"]))
            def __init__(self, context: chains.DeploymentContext = chains.depends_context()) -> None:
                self.base = int(context.secrets["t_factor"])
            def run_remote(self, number: int) -> int:
                return self.base

        class Ten:
            def __init__(self, base):
                self.base = base
            def run_remote(self, number: int) -> int:
                return self.base

        @pytest.mark.parametrize("fake", [Told, Ten(10)])
        def test_sum(chain_at_each_fidelity, fake):
            with chain_at_each_fidelity(Sum, fakes={Double: fake}, secrets={"t_factor": "10"}) as running:
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


def test_what_can_not_be_run_says_why(project: pytest.Pytester) -> None:
    """In the test's own words, and without a trace of ours."""
    project.makepyfile(broken="def (")
    uses = {
        'chain(Sum, fakes={"Nobody": Double})': "has no chainlet called Nobody",
        "chain(Sum, fakes={int: Double})": "has no chainlet called int",
        'chain(Sum, fidelity="perfect")': "there is no fidelity perfect",
        'chain("nowhere.py")': "error[CH0101]: nowhere.py does not exist",
        'chain("broken.py")': "broken.py:1: error[CH0102]",
        "chain(Unsound)": "error[CH0407]: `Unsound.run_remote`",
        'chain(Sum, fidelity="process", fakes={Sum: Three})': "Sum is the entrypoint",
        'chain(Sum, fidelity="process", data_dir="here")': "no `data_dir`",
        'chain(Sum, fidelity="deployed", fakes={Double: Double})': "a chain that is deployed has no fakes",
        'chain(Sum, fidelity="deployed")': "no chain is deployed for this test",
    }
    project.makepyfile(test_shop=f"""
        import chainctl as chains
        import pytest
        from shop import Double, Sum

        class Three:
            def run_remote(self, numbers: list[int]) -> int:
                return 3

        class Unsound(chains.ChainletBase):
            def run_remote(self, number: "Nowhere") -> int:
                return 3

        @pytest.mark.parametrize(("use", "told"), {list(uses.items())!r})
        def test_use(chain, use, told):
            with pytest.raises(pytest.fail.Exception) as failed:
                with eval(use) as running:
                    running.run_remote([1])
            assert told in str(failed.value), failed.value
            assert not failed.value.pytrace
            assert failed.value.__suppress_context__
    """)  # fmt: skip
    result = project.runpytest_subprocess()
    assert result.parseoutcomes() == {"passed": len(uses)}, result.stdout.str()


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


def test_a_run_in_processes_has_what_the_test_gives(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets as they are, whatever the environment has; and doors of its own, so that it runs twice at once.

    Calls that happen in other processes are not said to be none: the error says where they are seen.
    """
    monkeypatch.setenv("CHAINCTL_SECRET_T_FACTOR", "7")
    project.path.joinpath("chainctl.toml").write_text(f'port = {free_port()}\napi_key_secret = "nowhere"\n')
    passed(project, '''
        import pytest
        from chainctl.errors import UsageError
        from shop import Double, Sum

        def test_sum(chain):
            two = chain(Sum, fidelity="process", secrets={"t_factor": "2"})
            three = chain(Sum, fidelity="process", secrets={"t_factor": " 3\\n"})
            with pytest.raises(ZeroDivisionError), two as one, three as other:
                assert one.run_remote([1]) == 2
                assert other.run_remote([1]) == 3
                with pytest.raises(UsageError, match="the calls of Double happen in other processes"):
                    one.calls_of(Double)
                with pytest.raises(UsageError, match="no chainlet called Duoble"):
                    one.calls_of("Duoble")
                1 / 0
    ''')  # fmt: skip


def test_a_file_is_the_one_of_the_test(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever pytest is started; its module is the one that the test has. Two files of one name are told apart."""
    other = project.mkdir("other")
    project.mkpydir("tests")
    other.joinpath("shop.py").write_text(SHOP)
    project.path.joinpath("pytest.ini").write_text("[pytest]\npythonpath = .\n")
    project.path.joinpath("tests", "test_shop.py").write_text(f"""
import importlib.util
import sys

import pytest

SECRETS = {{"t_factor": "2"}}

def test_there(chain):
    spec = importlib.util.spec_from_file_location("other_name", {str(project.path / "shop.py")!r})
    module = sys.modules["other_name"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with chain("shop.py", secrets=SECRETS) as running:
        assert running.entrypoint is module.Sum

def test_another(chain):
    import shop

    with pytest.raises(pytest.fail.Exception, match="another file is the module `shop` already"):
        with chain("other/shop.py", secrets=SECRETS):
            pass
""")
    monkeypatch.chdir(project.mkdir("elsewhere"))
    result = project.runpytest_subprocess(str(project.path / "tests"))
    assert result.parseoutcomes() == {"passed": 2}, result.stdout.str()


def test_what_is_not_deployed_is_skipped_where_a_chain_is(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason. A run in which nothing else is has tested nothing, and does not end well."""
    monkeypatch.setenv("CHAINCTL_TEST_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("CHAINCTL_TEST_ENTRYPOINT", f"{project.path / 'shop.py'}:Sum")
    project.makepyfile(test_shop="""
        import pytest
        from shop import Double, Sum

        @pytest.mark.parametrize("what", [
            dict(fakes={Double: Double}), dict(data_dir="here"), dict(fidelity="codec"), dict(chain=Double),
        ])
        def test_skipped(chain, what):
            with chain(what.pop("chain", Sum), **what):
                assert False

        def test_runs(chain):
            with chain("shop.py") as running:
                assert running.url == "http://127.0.0.1:1"
    """)  # fmt: skip
    whole, skipped = project.runpytest_subprocess("-rs"), project.runpytest_subprocess("-k", "skipped")
    assert whole.parseoutcomes() == {"passed": 1, "skipped": 4}, whole.stdout.str()
    assert whole.ret == pytest.ExitCode.OK
    assert (
        f"the test runs Double, and Sum is deployed: `chainctl test {project.path}/shop.py:Double`"
        in whole.stdout.str()
    )
    assert skipped.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_interfaces_are_compared(project: pytest.Pytester) -> None:
    """Each change that breaks callers is told; what only adds is none."""
    project.makepyfile(newer=SHOP.replace("numbers: list[int]", "numbers: list[int], more: int = 0"))
    project.makepyfile(other=SHOP.replace("numbers: list[int]", "numbers: list[str]"))
    passed(project, '''
        from chainctl.testing import assert_compatible

        def test_newer():
            assert_compatible("shop.py", "newer.py")
    ''')  # fmt: skip
    project.makepyfile(broken="def (")
    project.makepyfile(test_shop="""
        from chainctl.testing import assert_compatible, released

        def test_other():
            assert_compatible("shop.py", "other.py")

        def test_broken():
            assert_compatible("shop.py", "broken.py")

        def test_unknown():
            assert_compatible(released("t-nobody", target="local"), "shop.py")

        def test_nowhere():
            assert_compatible(released("t-nobody", target="moon"), "shop.py")
    """)  # fmt: skip
    result = project.runpytest_subprocess("--tb=short")
    assert result.parseoutcomes() == {"failed": 4}
    said = result.stdout.str()
    assert "callers of the old version break" in said
    assert "numbers" in said
    assert "broken.py:1: error[CH0102]" in said
    assert "there is no release of t-nobody on local" in said
    assert "there is no target moon" in said
    assert "chainctl/testing" not in said


def test_the_plugin_imports_nothing_of_ours_before_it_is_used(project: pytest.Pytester) -> None:
    """It is loaded in every run of pytest of whoever has chainctl installed."""
    passed(project, '''
        import sys

        def test_light():
            ours = {name for name in sys.modules if name.startswith("chainctl.")}
            plugin = {"chainctl.testing", "chainctl.testing.plugin", "chainctl.version"}
            assert ours <= plugin | {"chainctl.truss", "chainctl.truss.alias"}, ours
    ''')  # fmt: skip
