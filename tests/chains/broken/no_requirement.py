# expect: CH0508 line 5
import chainctl as chains


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["numpy = 1.26"]))

    def run_remote(self) -> int:
        return 1
