# expect: CH0409 line 15
import chainctl as chains


import torch


class Batch(torch.Tensor):
    pass


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["torch"]))

    def run_remote(self, batch: Batch) -> int:
        return 1
