# expect: CH0601 line 2
import torch

import chainctl as chains


class Light(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


@chains.mark_entrypoint
class Heavy(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["torch==2.3.0"]))

    def __init__(self, light=chains.depends(Light)):
        self._light = light

    def run_remote(self) -> int:
        return int(torch.cuda.device_count())
