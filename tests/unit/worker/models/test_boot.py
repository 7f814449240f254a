"""A model is imported, created with what it asks for, and loaded, before it takes calls."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from chainctl.errors import ChainsUsageError, MissingDependencyError
from chainctl.telemetry.telemetry import Telemetry
from chainctl.worker.boot import ChainletManifest
from chainctl.worker.models.boot import boot_model, loaded_model
from chainctl.worker.models.model_worker import ModelWorker
from chainctl.worker.models.site import ModelSite
from tests.unit.worker.loopback import run
from tests.unit.worker.models.models import call, error_of, value_of

_NUMBERS = itertools.count()
CONFIG: dict[str, Any] = {
    "model_name": "greeter",
    "secrets": {"key": None, "unset": None, "written": "default"},
    "runtime": {"predict_concurrency": 3},
    "model_metadata": {"size": "small"},
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """A directory with a model in it: given its code, the name of its module, another one each time."""

    def written(code: str) -> str:
        package = f"model_{next(_NUMBERS)}"
        (tmp_path / package).mkdir()
        (tmp_path / package / "model.py").write_text(code)
        return f"{package}.model"

    monkeypatch.syspath_prepend(tmp_path)
    return written


def no_loop() -> asyncio.AbstractEventLoop:
    raise AssertionError("nothing is async here")


def booted(module: str, config: Mapping[str, Any] = CONFIG, **manifest: Any) -> ModelWorker:
    return boot_model(module, "Model", config, ChainletManifest(**manifest), no_loop)


def given_to(worker: ModelWorker) -> dict[str, Any]:
    """What the model answers."""
    given: dict[str, Any] = value_of(run(worker.call(call())))
    return given


ALL = """
class Model:
    def __init__(self, **kwargs):
        self.given = kwargs

    def predict(self):
        kwargs = self.given
        kwargs["lazy_data_resolver"].block_until_download_complete()
        kwargs["config"]["model_metadata"]["size"] = "changed"
        return {
            "names": sorted(kwargs),
            "name": kwargs["config"]["model_name"],
            "data_dir": str(kwargs["data_dir"]),
            "environment": kwargs["environment"],
            "secrets": [kwargs["secrets"]["key"], kwargs["secrets"]["written"], kwargs["secrets"].get("unset")],
        }
"""


def test_what_a_model_may_ask_for(place: Callable[[str], str], tmp_path: Path) -> None:
    """Configuration, data, secrets, environment; all of it with `**kwargs`."""
    (tmp_path / "key").write_text("s3cret")
    worker = booted(place(ALL), secrets_dir=tmp_path, environment="staging")
    assert given_to(worker) == {
        "names": ["config", "data_dir", "environment", "lazy_data_resolver", "secrets"],
        "name": "greeter",
        "data_dir": str(tmp_path / "data"),
        "environment": {"name": "staging"},
        "secrets": ["s3cret", "default", None],
    }
    assert worker.gate.limit == 3
    assert CONFIG["model_metadata"] == {"size": "small"}
    local = loaded_model(place(ALL), "Model", CONFIG, ModelSite.here({"key": "k"}), no_loop)
    assert (given_to(local)["secrets"][0], given_to(local)["environment"]) == ("k", None)


@pytest.mark.parametrize(
    ("signature", "names"),
    [
        ("self", []),
        ("self, config, secrets", ["config", "secrets"]),
        ("self, *, data_dir, mine=3", ["data_dir", "mine"]),
        ("self, *args", ["args"]),
    ],
)
def test_a_model_gets_what_it_asks_for(place: Callable[[str], str], signature: str, names: list[str]) -> None:
    """Whatever it does not ask for is not given, and its own defaults hold."""
    code = f"class Model:\n    def __init__({signature}):\n        self.names = sorted(set(locals()) - {{'self'}})\n"
    code += "    def predict(self):\n        return self.names\n"
    assert value_of(run(booted(place(code)).call(call()))) == names


def test_a_model_without_init(place: Callable[[str], str]) -> None:
    """It needs none."""
    assert (
        value_of(run(booted(place("class Model:\n    def predict(self):\n        return 1\n")).call(call())))
        == 1
    )


def test_a_model_that_asks_for_more(place: Callable[[str], str]) -> None:
    """It is told what there is."""
    with pytest.raises(ChainsUsageError) as raised:
        booted(place("class Model:\n    def __init__(self, weights):\n        pass\n"))
    assert raised.value.message == "`Model.__init__` takes `weights`, which no model is given"
    assert "`config`, `data_dir`, `secrets`" in raised.value.hint


@pytest.mark.parametrize(("key", "says"), [("other", "is not declared"), ("unset", "has no value here")])
def test_secrets_that_are_not_there(place: Callable[[str], str], key: str, says: str) -> None:
    """One that config.yaml does not declare, and one without a value, say so when they are asked for."""
    code = f"class Model:\n    def __init__(self, secrets):\n        self.value = secrets[{key!r}]\n"
    with pytest.raises(MissingDependencyError, match=says):
        booted(place(code))


ORDER = """
class Model:
    def __init__(self):
        self.steps = ["init"]

    {a}def setup_environment(self, environment):
        self.steps.append(["setup", environment])

    {a}def load(self):
        self.steps.append("load")

    def predict(self):
        return self.steps
"""


def test_what_comes_before_calls(place: Callable[[str], str]) -> None:
    """`__init__`, then `setup_environment`, then `load`."""
    steps = ["init", ["setup", {"name": "prod"}], "load"]
    assert value_of(run(booted(place(ORDER.format(a="")), environment="prod").call(call()))) == steps


LOOPED = """
import asyncio


class Model:
    async def load(self):
        self.loop = asyncio.get_running_loop()

    async def predict(self):
        return self.loop is asyncio.get_running_loop()
"""


def test_async_methods_run_on_the_loop_of_calls(place: Callable[[str], str]) -> None:
    """From the thread that boots while the loop serves already, and before it runs at all."""

    async def main() -> None:
        module, loop = place(LOOPED), asyncio.get_running_loop()
        asked = threading.Event()

        def serving() -> asyncio.AbstractEventLoop:
            asked.set()
            return loop

        booting = asyncio.to_thread(boot_model, module, "Model", CONFIG, ChainletManifest(), serving)
        assert value_of(await (await booting).call(call()))
        assert asked.is_set()

    run(main())
    loop = asyncio.new_event_loop()
    site = ModelSite.here({})
    worker = loaded_model(place(LOOPED), "Model", CONFIG, site, lambda: loop)
    ordered = loaded_model(place(ORDER.format(a="async ")), "Model", CONFIG, site, lambda: loop)
    assert value_of(loop.run_until_complete(worker.call(call())))
    assert value_of(loop.run_until_complete(ordered.call(call()))) == ["init", ["setup", None], "load"]
    loop.close()


def test_packages_beside_the_model(place: Callable[[str], str], tmp_path: Path) -> None:
    """They can be imported; what is installed goes before them."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "beside_it.py").write_text("VALUE = 7\n")
    (tmp_path / "packages" / "pydantic.py").write_text("raise ImportError('the wrong one')\n")
    code = (
        "import beside_it, pydantic\nclass Model:\n    def predict(self):\n        return beside_it.VALUE\n"
    )
    assert value_of(run(booted(place(code)).call(call()))) == 7


def test_what_load_raises(place: Callable[[str], str]) -> None:
    """It goes to who boots; so does a module that is not there."""
    code = (
        "class Model:\n    def load(self):\n        raise OSError('no weights')\n    def predict(self): ...\n"
    )
    with pytest.raises(OSError, match="no weights"):
        booted(place(code))
    with pytest.raises(ModuleNotFoundError, match="no_such_model"):
        booted("no_such_model.model")


def test_places_are_told(place: Callable[[str], str]) -> None:
    """Metrics say how many calls run and wait."""
    module = place("class Model:\n    def predict(self):\n        return 1\n")
    telemetry = Telemetry("chain-greeter", "greeter")
    worker = boot_model(module, "Model", CONFIG, ChainletManifest(), no_loop, telemetry)
    assert "chainctl_calls_limit" in telemetry.metrics_text().decode()
    assert error_of(run(worker.call(call(path="/v1/messages"))))[0] == 404
