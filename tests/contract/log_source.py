"""The contract of a LogSource: derive a class, give `source`, which has written LINES, and run it."""

from __future__ import annotations

from typing import ClassVar

import pytest

from chainctl.deploy.target import LogSource

CHAIN = "contract"
# Time, chainlet and text of what `source` has in its log, besides other chains' lines.
LINES = (
    (10.0, "One", "one begins"),
    (11.0, "Two", "two begins"),
    (12.0, "One", "one goes on"),
    (13.0, "Two", "two ends"),
)


class LogSourceContract:
    """Left open: `source`. Times need only keep their order: they are asked for again as they were given."""

    chain: ClassVar[str] = CHAIN

    @pytest.fixture
    def source(self) -> LogSource:
        raise NotImplementedError

    def test_lines_come_in_the_order_of_time(self, source: LogSource) -> None:
        """Over all services, with the chainlet that wrote them."""
        lines = list(source.logs(self.chain))
        assert [(line.chainlet, line.text) for line in lines] == [(c, t) for _, c, t in LINES]
        assert [line.time for line in lines] == sorted(line.time for line in lines)

    def test_lines_of_some_chainlets(self, source: LogSource) -> None:
        """Display names choose."""
        lines = source.logs(self.chain, chainlets=["Two"])
        assert [line.text for line in lines] == ["two begins", "two ends"]

    def test_the_tail_counts_over_all_services(self, source: LogSource) -> None:
        """Two lines are two lines, whoever wrote them; none are none."""
        assert [line.text for line in source.logs(self.chain, tail=2)] == ["one goes on", "two ends"]
        assert list(source.logs(self.chain, tail=0)) == []
        assert len(list(source.logs(self.chain, tail=100))) == len(LINES)

    def test_lines_since_a_time(self, source: LogSource) -> None:
        """The line of that very moment is in."""
        moment = [line.time for line in source.logs(self.chain)][2]
        assert [line.text for line in source.logs(self.chain, since=moment)] == ["one goes on", "two ends"]

    def test_an_unknown_chain_wrote_nothing(self, source: LogSource) -> None:
        """Nothing there is no error."""
        assert list(source.logs("nobody")) == []
