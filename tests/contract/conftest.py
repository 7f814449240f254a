"""What every implementation of a protocol must keep: suites to derive a test class from, and to name one's own in.

A suite is a class with one fixture left open; deriving from it and giving that fixture runs it all.
"""

import pytest

pytest.register_assert_rewrite(
    "tests.contract.build_backend",
    "tests.contract.deploy_target",
    "tests.contract.log_source",
    "tests.contract.vault",
)
