"""What HAProxy counted in; the Traffic of each service that it leads to out. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chainctl.adapters.docker.haproxy_state import SERVERS, STATISTICS, table
from chainctl.adapters.docker.labels import DOOR_ALIAS
from chainctl.adapters.docker.replica_hosts import replica_at
from chainctl.deploy.canary import Traffic
from chainctl.deploy.door_config import BACKEND

TRAFFIC_QUESTIONS = (f"show servers state {BACKEND}", f"show stat {BACKEND} 4 -1")
"""All that `parse_traffic` needs, asked at once."""
_ANSWERS = ("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other")
_LOST = ("econ", "eresp")
_BROKEN = ("hrsp_5xx", "srv_abrt")


def parse_traffic(text: str) -> dict[str, Traffic] | None:
    """Read the answers to TRAFFIC_QUESTIONS; None when they are not HAProxy's."""
    if STATISTICS not in text:
        return None
    services = {row["srv_name"]: row["srv_fqdn"] for row in table(text, SERVERS, " ")}
    found: dict[str, Traffic] = {}
    for row in table(text, STATISTICS, ","):
        host = services.get(row["svname"], "-")
        if host not in ("-", DOOR_ALIAS):
            service = replica_at(host)[0]
            found[service] = joined(found[service], _traffic(row)) if service in found else _traffic(row)
    return found


def joined(one: Traffic, other: Traffic) -> Traffic:
    """Count replicas, or doors, together; their mean times weigh as many answers as they have."""
    answered = one.answered + other.answered
    spent = one.mean_sec * one.answered + other.mean_sec * other.answered
    return Traffic(
        one.begun + other.begun, answered, one.failed + other.failed, spent / answered if answered else 0.0
    )


def _traffic(row: Mapping[str, str]) -> Traffic:
    """Attempts that reached no service count as lost: the door made others, so nobody has seen them."""
    lost = _sum(row, _LOST)
    answered = _sum(row, _ANSWERS) + lost
    return Traffic(
        begun=max(_count(row, "stot"), answered),
        answered=answered,
        failed=min(answered, lost + _sum(row, _BROKEN)),
        mean_sec=_count(row, "rtime") / 1000,
    )


def _sum(row: Mapping[str, str], names: tuple[str, ...]) -> int:
    return sum(_count(row, name) for name in names)


def _count(row: Mapping[str, str], name: str) -> int:
    return int(row.get(name) or 0)
