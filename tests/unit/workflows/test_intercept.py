"""What is to run in place of a service: decided from what was released, what runs, and a chain file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chainctl.deploy.compose_interfaces import compose_interfaces
from chainctl.deploy.execute import execute
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import Call, SecretRef
from chainctl.deploy.state import desired_state
from chainctl.errors import ChainctlError, DeployError, UsageError
from chainctl.graph.graph import ChainGraph
from chainctl.state.ledger import Ledger, Record
from chainctl.workflows.intercept import Interception, plan_intercept
from chainctl.workflows.redeploy import latest_of
from tests.fakes.chains import chainlet, graph_of, release_of, silent, still_clock
from tests.fakes.target import MemoryTarget
from tests.unit.deploy.test_schema_gaps import INT, STR, obj

CHAIN = "shop"
CALLS = {"Root": ["Pay"], "Pay": ["Leaf"], "Leaf": []}
RELEASED = graph_of(CALLS, chain=CHAIN)


@dataclass
class Shop:
    """A chain that was pushed from a file, and the graphs that chain files have by name."""

    ledger: Ledger
    target: MemoryTarget
    source: Path
    files: dict[str, ChainGraph]

    def planned(self, chainlet: str = "Pay", file: str | None = None, chain: str = CHAIN) -> Interception:
        return plan_intercept(chain, chainlet, file, self.target, self.ledger, self.files.__getitem__)

    def refused(self, kind: type[ChainctlError], *arguments: Any) -> tuple[str, str | None, list[str]]:
        with pytest.raises(kind) as caught:
            self.planned(*arguments)
        return caught.value.message, caught.value.hint, list(caught.value.details)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """As it serves."""
    source, release = tmp_path / "chain.py", release_of(RELEASED)
    source.touch()
    ledger, target = Ledger(tmp_path / "state", "memory"), MemoryTarget()
    execute(reconcile(desired_state(release), target.observe(CHAIN)), target, silent, still_clock)
    target.applied.clear()
    ledger.record(Record(1, release, 0.0, str(source), interfaces=compose_interfaces(RELEASED)))
    return Shop(ledger, target, source, {str(source): RELEASED})


def with_pay(**fields: Any) -> ChainGraph:
    """The chain with another Pay."""
    pay = replace(chainlet("Pay"), **fields)
    return graph_of(CALLS, specs=[pay], chain=CHAIN)


def test_what_was_released_takes_its_place_by_default(shop: Shop) -> None:
    """Nothing is touched; the entrypoint is told from the others."""
    planned = shop.planned()
    service = latest_of(shop.ledger, CHAIN).release.service_of("Pay")
    assert planned == Interception(service, RELEASED.chainlet("Pay"), RELEASED, False, 1)
    assert shop.planned("Root").is_entrypoint
    assert shop.target.applied == []


def test_it_has_the_secrets_data_and_callees_of_the_file(shop: Shop) -> None:
    """All else is as it was released: its variables, its limits, its name."""
    volume = {"name": "weights", "source": "w.bin", "sha256": "0" * 64, "dest": "/w", "filename": "w"}
    config = {"assets": {"secret_keys": ["b", "a", "b"], "volumes": [volume]}}
    specs = [chainlet("Pay", config=config)]
    shop.files["edited.py"] = graph_of({**CALLS, "Pay": []}, specs=specs, chain=CHAIN)
    before, planned = shop.planned().service, shop.planned(file="edited.py").service
    assert planned.secrets == (SecretRef("a", ""), SecretRef("b", ""))
    assert [one.name for one in planned.data] == ["weights"]
    assert (before.calls, planned.calls) == ((Call("Leaf", before.calls[0].service),), ())
    assert replace(planned, secrets=(), data=(), calls=before.calls) == before


def test_it_may_call_whatever_the_release_has(shop: Shop) -> None:
    """By the names that were released; what the release does not have is refused."""
    shop.files["more.py"] = graph_of({"Root": ["Pay"], "Pay": ["Leaf", "Tax"], "Leaf": [], "Tax": []})
    message = "Pay of /project/chain.py calls Tax, which release 1 does not have"
    assert shop.refused(UsageError, "Pay", "more.py") == (message, "push the chain first.", [])


def test_names_that_nothing_has_are_refused(shop: Shop) -> None:
    """A chain, a chainlet of the release, a chainlet of the file; what there is, is named."""
    shop.files["less.py"] = graph_of({"Root": ["Leaf"], "Leaf": []})
    told = [shop.refused(UsageError, *given)[:2] for given in (("Tax",), ("Pay", "less.py"))]
    assert told == [
        ("shop has no chainlet called Tax", "it has Leaf, Pay, Root."),
        ("/project/chain.py has no chainlet called Pay", "it has Leaf, Root."),
    ]
    assert shop.refused(UsageError, "Pay", None, "bank")[0] == "no release of bank is recorded here"


def test_a_service_that_does_not_run_has_no_place_to_take(shop: Shop) -> None:
    """A push brings it back."""
    shop.target.reboot(CHAIN)
    message, hint, _ = shop.refused(DeployError)
    assert message == "shop/Pay does not run as it was released"
    assert hint is not None
    assert hint.startswith("push the chain again")


def test_a_file_that_is_gone_has_to_be_named(shop: Shop) -> None:
    """A chain may have been pushed from another directory."""
    shop.source.unlink()
    message, hint, _ = shop.refused(UsageError)
    assert message == f"the chain file of release 1 is not here: {shop.source}"
    assert hint == "name it: `chainctl intercept shop/CHAINLET chain.py`."


def test_what_breaks_callers_is_refused(shop: Shop) -> None:
    """They call on as they were released; what they do not notice is taken."""
    released = with_pay(input_schema=obj("a", a=INT, closed=True), output_schema=STR)
    latest = latest_of(shop.ledger, CHAIN)
    shop.ledger.record(replace(latest, number=2, interfaces=compose_interfaces(released)))
    shop.files["same.py"] = with_pay(input_schema=obj("a", a=INT, b=INT, closed=True), output_schema=STR)
    shop.files["new.py"] = with_pay(input_schema=obj("a", "b", a=INT, b=INT, closed=True), output_schema=STR)
    assert shop.planned(file="same.py").release == 2
    message, hint, details = shop.refused(UsageError, "Pay", "new.py")
    assert message == "Pay of /project/chain.py can not take the calls of release 2"
    assert hint == "push the chain: its callers are released with it then."
    assert details == ["`b` is new and required"]
