"""`python generate.py OUT`: the directories that Truss generates, laid out as its image would have them.

Truss copies its server, and what the server shares with it, next to the generated code (see its
`server.Dockerfile.jinja` and `image_builder.py`); that is done here without an image.
"""

import pathlib
import shutil
import sys

import bench_chain
import truss
from truss_chains import private_types
from truss_chains.deployment import deployment_client

out = pathlib.Path(sys.argv[1])
templates = pathlib.Path(truss.__file__).parent / "templates"
for entry in (bench_chain.Hop, bench_chain.Fan, bench_chain.Array):
    options = private_types.PushOptionsLocalDocker(chain_name=entry.__name__, only_generate_trusses=True)
    own, others, *_ = deployment_client._generate_chainlet_artifacts(options, entry)
    for artifact in (own, *others):
        app = out / artifact.display_name
        if not app.exists():
            shutil.copytree(artifact.truss_dir, app)
            shutil.copytree(templates / "server", app, dirs_exist_ok=True)
            shutil.copytree(templates / "shared", app / "_truss_shared")
