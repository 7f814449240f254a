# expect: CH0507 line 12
import chainctl as chains


class Base(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["numpy"]))

    def run_remote(self) -> int:
        return 1


Base.remote_config.docker_image.pip_requirements.append("scipy")
