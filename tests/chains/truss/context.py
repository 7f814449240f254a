"""Secrets and the rest of a context: data, the environment, the services that are called."""

import truss_chains as chains


class Inner(chains.ChainletBase):
    async def run_remote(self) -> int:
        return 1


@chains.mark_entrypoint
class Reader(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(data_dir=chains.make_abs_path_here("data")),
        assets=chains.Assets(secret_keys=["truss_word"]),
    )

    def __init__(
        self, inner: Inner = chains.depends(Inner), context: chains.DeploymentContext = chains.depends_context()
    ) -> None:
        self._inner = inner
        self._length = len(context.secrets["truss_word"])
        self._words = (context.data_dir / "words.txt").read_text().split()
        self._service = context.get_service_descriptor("Inner").display_name
        try:
            context.secrets["another"]
        except TypeError as error:  # as MissingDependencyError is one
            self._refused = type(error).__name__

    async def run_remote(self) -> list[str]:
        return [str(self._length), *self._words, self._service, self._refused]
