"""The contract of a BuildBackend: derive a class, give `backend` and `image`, and run it."""

from __future__ import annotations

import pytest

from chainctl.build.backend import BuildBackend
from chainctl.build.context import ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.errors import EngineError
from tests.fakes.chains import silent


class BuildBackendContract:
    """Left open: `backend`, without images at first, and `image`, which it can build."""

    @pytest.fixture
    def backend(self) -> BuildBackend:
        raise NotImplementedError

    @pytest.fixture
    def image(self) -> ImagePlan:
        raise NotImplementedError

    def test_an_image_is_there_once_it_was_built(self, backend: BuildBackend, image: ImagePlan) -> None:
        """Before the build it is not; another tag of the same name never is."""
        other = ImageRef(image.ref.repository, "0" * 16)
        assert backend.existing([image.ref, other]) == frozenset()
        backend.build(image, silent)
        assert backend.existing([image.ref, other]) == {image.ref}

    def test_building_again_is_no_error(self, backend: BuildBackend, image: ImagePlan) -> None:
        """Two pushes at once may want the same image."""
        backend.build(image, silent)
        backend.build(image, silent)
        assert backend.existing([image.ref]) == {image.ref}

    def test_nothing_is_asked_for_nothing(self, backend: BuildBackend) -> None:
        """No names, no images."""
        assert backend.existing([]) == frozenset()


class CancellableBackendContract:
    """Left open as in BuildBackendContract; for backends whose builds take long."""

    @pytest.fixture
    def backend(self) -> BuildBackend:
        raise NotImplementedError

    @pytest.fixture
    def image(self) -> ImagePlan:
        raise NotImplementedError

    def test_a_cancelled_backend_builds_nothing(self, backend: BuildBackend, image: ImagePlan) -> None:
        """What comes after the cancellation is broken off too."""
        backend.cancel()
        with pytest.raises(EngineError):
            backend.build(image, silent)
        assert backend.existing([image.ref]) == frozenset()
