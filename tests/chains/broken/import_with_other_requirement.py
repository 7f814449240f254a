# expect: CH0601 line 2
import torch

import chainctl as chains


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["pydantic"]))

    def run_remote(self) -> int:
        return int(torch.cuda.device_count())
