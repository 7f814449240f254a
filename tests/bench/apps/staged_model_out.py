"""`python staged_model_out.py DIRECTORY OUT`: a Truss directory, laid out as the image that Truss builds has it."""

import pathlib
import shutil
import sys

import truss
from truss.base import truss_config

directory, out = map(pathlib.Path, sys.argv[1:])
templates = pathlib.Path(truss.__file__).parent / "templates"
shutil.copytree(directory, out)
shutil.copytree(templates / "server", out, dirs_exist_ok=True)
shutil.copytree(templates / "shared", out / "_truss_shared")
config = truss_config.TrussConfig.from_yaml(directory / "config.yaml")
config.write_to_yaml_file(out / "config.yaml", verbose=True)
