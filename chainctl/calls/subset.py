"""The addresses of all replicas in; those that one caller speaks with out. Pure.

Where callers and replicas are many, connections and probes of each with each would be more than the
calls. After deterministic subsetting in "Load Balancing in the Datacenter", "Site Reliability Engineering",
O'Reilly, 2016; by rendezvous hashing (D. Thaler, C. Ravishankar, 1996), so that a replica that comes
or goes changes nothing for the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from chainctl.calls.address import Address

LEAST_SPOKEN_WITH = 32
"""So many replicas a caller speaks with where there are more; with twice as many whenever all of them are busy."""


def ranked(caller: str, addresses: Sequence[Address]) -> list[Address]:
    """Order addresses for a caller, most wanted first: for each caller otherwise, for one always alike."""
    if len(addresses) <= LEAST_SPOKEN_WITH:
        return list(addresses)
    return sorted(addresses, key=lambda address: _weight(caller, address))


def _weight(caller: str, address: Address) -> bytes:
    return hashlib.blake2b(f"{caller}\n{address}".encode(), digest_size=8).digest()
