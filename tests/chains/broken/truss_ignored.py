# expect: CH0510 line 8 warning
import truss_chains as chains
from truss.base import truss_config
from truss_chains import WeightsSource


class Rank(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(
            base_image=chains.CustomImage(
                image="python:3.11-slim",
                docker_auth=truss_config.DockerAuthSettings(auth_method="AWS_IAM", registry="a.b"),
            ),
            pip_requirements=["truss==0.9.60"],
            truss_server_version_override="0.9.60",
        ),
        assets=chains.Assets(
            cached=[truss_config.ModelRepo(repo_id="a/b", allow_patterns=["*.json"])],
            external_data=[truss_config.ExternalDataItem(url="https://a.b/c", local_data_path="c")],
            weights=[WeightsSource(source="hf://a/b@main", mount_location="/models/b")],
        ),
    )

    def run_remote(self, text: str) -> str:
        return text


@chains.mark_entrypoint
class Front(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        compute=chains.Compute(instance_type="A10G:8x32", gpu=truss_config.Accelerator.A10G),
        options=chains.ChainletOptions(enable_b10_tracing=True, streaming_read_timeout=10),
    )

    def __init__(self, rank: Rank = chains.depends(Rank)) -> None:
        self._rank = rank

    def run_remote(self, text: str) -> str:
        return self._rank.run_remote(text)
