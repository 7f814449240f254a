"""Modules from another directory, which come into the image."""

import truss_chains as chains


@chains.mark_entrypoint
class Tool(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(external_package_dirs=[chains.make_abs_path_here("extra")])
    )

    def run_remote(self, number: int) -> int:
        from toolkit import doubling

        return doubling.double(number)
