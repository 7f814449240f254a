"""Names and labels of objects: what a cluster takes, and one for each thing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.deploy.kubernetes.names import (
    DATA_LIMIT_BYTES,
    cache_name,
    data_name,
    door_config_name,
    door_name,
    door_secret_name,
    entry_name,
    fingerprint_in,
    label_value,
    require_data_fits,
    secret_name,
    service_annotations,
    workload_name,
)
from chainctl.deploy.release import Fingerprint, SecretRef, service_name
from chainctl.errors import UsageError
from tests.fakes.full_release import full_release

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
CHAINS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)
SERVICE_NAME = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"


@given(TEXTS, TEXTS)
def test_objects_of_services_have_names_that_services_may_have(chain: str, chainlet: str) -> None:
    """A Service's name begins with a letter; a service's own name need not."""
    name = service_name(chain, chainlet, Fingerprint("i", "c", "c"))
    assert re.fullmatch(SERVICE_NAME, workload_name(name))
    assert workload_name(name)[-8:] == name[-8:]


@given(CHAINS, TEXTS)
def test_objects_of_a_chain_have_names(chain: str, text: str) -> None:
    """Each is a DNS label, whatever the chain is called, and each is another one."""
    names = [
        door_name(chain),
        entry_name(chain),
        secret_name(chain, [SecretRef(text, text)]),
        door_secret_name(chain, text),
        door_config_name(chain, text),
        data_name(chain, "ab" * 32),
        cache_name(chain, "models"),
    ]
    assert all(re.fullmatch(SERVICE_NAME, name) for name in names)
    assert len(set(names)) >= len(names) - 1  # a door's Secret and ConfigMap are of different kinds


@given(TEXTS, TEXTS)
def test_labels_have_values_and_tell_texts_apart(one: str, other: str) -> None:
    """At most 63 characters of those that labels may have; different texts stay different."""
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", label_value(one))
    assert (label_value(one) == label_value(other)) == (one == other)


@pytest.mark.parametrize("chain", ["", "Shop", "a" * 41, "shop_1", "-shop", "sh.op"])
def test_a_chain_that_no_object_can_be_called_after(chain: str) -> None:
    """It is said at once, and how to give another name."""
    with pytest.raises(UsageError, match="can not name a chain on Kubernetes") as caught:
        door_name(chain)
    assert "--name" in caught.value.hint


def test_a_fingerprint_is_read_back() -> None:
    """Part by part; what has none differs from any."""
    spec = full_release().services[0]
    assert fingerprint_in(service_annotations(spec)) == spec.fingerprint
    assert fingerprint_in({}) == Fingerprint("", "", "")


def test_a_file_that_no_object_holds_is_refused() -> None:
    """With its size, and where it can be instead."""
    require_data_fits("shop", "w.bin", DATA_LIMIT_BYTES)
    with pytest.raises(UsageError, match=r"w\.bin has 1048577 bytes") as caught:
        require_data_fits("shop", "w.bin", DATA_LIMIT_BYTES + 1)
    assert "data_dir" in caught.value.hint
