# expect: CH0601 line 2 warning
import torch

import chainctl as chains


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["some-models==1.0"]))

    def run_remote(self) -> int:
        return int(torch.cuda.device_count())
