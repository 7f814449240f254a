# expect: CH0409 line 13
# expect: CH0409 line 13
import chainctl as chains


import numpy as np
import numpy.typing as npt


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["numpy"]))

    def run_remote(self, one: np.ndarray, two: npt.NDArray[np.float32]) -> int:
        return 1
