import chainctl as chains


class Light(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


@chains.mark_entrypoint
class Heavy(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["torch"]))

    def __init__(self, light=chains.depends(Light)) -> None:
        from parts.tensors import load

        self._model = load()

    def run_remote(self) -> int:
        return 2
