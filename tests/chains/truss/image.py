"""Every way to say what an image is made of, older ones among them."""

import truss_chains as chains
from truss.base import truss_config

COMMON = chains.DockerImage(
    base_image=chains.BasetenImage.PY311,
    pip_requirements_file=chains.make_abs_path_here("requirements.txt"),
    apt_requirements=["jq"],
)


class Named(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(base_image="python:3.11-slim", pip_requirements=["idna", "truss>=0.9"]),
        compute=chains.Compute(cpu_count=1, memory="256Mi", predict_concurrency="cpu_count"),
        assets=chains.Assets(cached=[truss_config.ModelRepo(repo_id="a/b", allow_patterns=["*.json"])]),
    )

    def run_remote(self, text: str) -> str:
        import idna

        return idna.encode(text).decode()


class Custom(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(
            base_image=chains.CustomImage(image="python:3.11-slim", python_executable_path="/usr/local/bin/python3")
        ),
        build_commands=["echo built > /tmp/built"],
    )

    def run_remote(self, text: str) -> str:
        return text


@chains.mark_entrypoint
class Images(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=COMMON, compute=chains.Compute(instance_type="CPU:2x8", memory="256Mi"), name="images"
    )

    def __init__(self, named=chains.depends(Named), custom=chains.depends(Custom)) -> None:
        self._named = named
        self._custom = custom

    def run_remote(self, text: str) -> str:
        return self._custom.run_remote(self._named.run_remote(text))
