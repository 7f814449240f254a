"""What a user sees of calls, on every target: traces, rates, and log lines that name their call."""

from __future__ import annotations

import json

from tests.scenarios.test_releases import Project, served

__all__ = ["served"]


def test_a_call_is_seen_from_outside(served: Project) -> None:
    """One call leads through both chainlets; its trace, its metrics and its log lines are found again."""
    called = served.run("call", served.name, '{"numbers": [1, 2]}', "--trace")
    assert called.stdout == "6\n"
    assert called.stderr.count("→ Double") >= 2
    assert "critical path" in called.stderr
    listed = json.loads(served.run("trace", served.name, "--json").stdout)["traces"]
    (whole,) = [one for one in listed if one["chainlet"] == "Sum" and one["hops"] == 3]
    shown = served.run("trace", served.name, whole["request_id"])
    assert shown.stdout.startswith(f"trace {whole['trace_id']}  request {whole['request_id']}\n")
    told = json.loads(served.run("trace", served.name, whole["trace_id"], "--json").stdout)
    assert sum(step["ns"] for step in told["critical_path"]) == whole["total_ns"]
    assert {span["chainlet"] for span in told["spans"]} == {"Sum", "Double"}
    lines = served.run("logs", served.name, "--chainlet", "Sum", "--json").stdout.splitlines()
    (said,) = [line for line in map(json.loads, lines) if line["text"] == "summing 2 numbers"]
    assert (said["request_id"], said["trace_id"]) == (whole["request_id"], whole["trace_id"])


def test_the_load_of_a_chain_is_seen(served: Project) -> None:
    """Each service with its memory, each edge that was ever used."""
    served.call('{"numbers": [1]}')
    load = json.loads(served.run("top", served.name, "--interval", "0.1", "--json").stdout)
    by_chainlet = {service["chainlet"]: service for service in load["services"]}
    assert set(by_chainlet) == {"Sum", "Double"}
    assert all(service["memory_bytes"] > 0 for service in by_chainlet.values())
    assert [edge["callee"] for edge in by_chainlet["Sum"]["edges"]] == ["Double"]
    assert "Sum → Double" in served.run("top", served.name, "--interval", "0.1").stdout
    served.run("trace", served.name, "nothing", expect=2)
