import vllm

import chainctl as chains


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(
            base_image=chains.CustomImage(image="vllm/vllm-openai:v0.5.0", python_executable_path="/usr/bin/python3"),
            apt_requirements=["ffmpeg"],
        ),
    )

    def run_remote(self) -> str:
        return str(vllm)
