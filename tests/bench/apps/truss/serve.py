"""`python serve.py DYNAMIC_CONFIG` in an app directory: Truss's own main, told where its URLs are.

Its server reads them below /etc; that one constant is changed, so that no root is needed.
"""

import runpy
import sys

import _truss_shared.dynamic_config_resolver
import truss.templates.shared.dynamic_config_resolver

for module in (_truss_shared.dynamic_config_resolver, truss.templates.shared.dynamic_config_resolver):
    module.DYNAMIC_CONFIG_MOUNT_DIR = sys.argv[1]
runpy.run_path("main.py", run_name="__main__")
