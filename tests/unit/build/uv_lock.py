"""The text of a lock as uv writes it: markers, extras, forks, git, URL and workspace sources."""

LOCK = """
version = 1
revision = 2
requires-python = ">=3.11"
resolution-markers = ["python_full_version >= '3.12'", "python_full_version < '3.12'"]

[manifest]
members = ["shop", "shop-lib"]

[[package]]
name = "anyio"
version = "4.4.0"
source = { registry = "https://index.example" }
dependencies = [
    { name = "exceptiongroup", marker = "python_full_version < '3.11'" },
    { name = "idna" },
]
sdist = { url = "https://files.example/anyio-4.4.0.tar.gz", hash = "sha256:00", size = 1 }
wheels = [
    { url = "https://files.example/anyio-4.4.0-py3-none-any.whl", hash = "sha256:00", size = 1 },
]

[[package]]
name = "circle-a"
version = "1.0"
source = { registry = "https://index.example" }
dependencies = [{ name = "circle-b", marker = "sys_platform == 'linux'" }]

[[package]]
name = "circle-b"
version = "1.0"
source = { registry = "https://index.example" }
dependencies = [{ name = "circle-a", marker = "platform_machine == 'x86_64'" }]

[[package]]
name = "exceptiongroup"
version = "1.2.0"
source = { registry = "https://index.example" }

[[package]]
name = "from-git"
version = "0.3.0"
source = { git = "https://git.example/from-git.git?rev=main#0123456789abcdef0123456789abcdef01234567" }

[[package]]
name = "from-git-subdirectory"
version = "0.3.0"
source = { git = "https://git.example/mono.git?subdirectory=python&tag=v3#89abcdef0123456789abcdef0123456789abcdef" }

[[package]]
name = "from-url"
version = "2.0"
source = { url = "https://files.example/from_url-2.0-py3-none-any.whl" }

[[package]]
name = "httptools"
version = "0.6.1"
source = { registry = "https://index.example" }

[[package]]
name = "idna"
version = "3.7"
source = { registry = "https://index.example" }

[[package]]
name = "numpy"
version = "1.26.4"
source = { registry = "https://index.example" }

[[package]]
name = "numpy"
version = "2.1.0"
source = { registry = "https://index.example" }

[[package]]
name = "pytest"
version = "8.2.0"
source = { registry = "https://index.example" }

[[package]]
name = "shop"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "anyio" },
    { name = "circle-a" },
    { name = "from-git" },
    { name = "from-git-subdirectory" },
    { name = "from-url" },
    { name = "numpy", version = "1.26.4", marker = "python_full_version < '3.12'" },
    { name = "numpy", version = "2.1.0", marker = "python_full_version >= '3.12'" },
    { name = "shop-lib", extra = ["fast"] },
    { name = "uvicorn", extra = ["standard"] },
]

[package.dev-dependencies]
dev = [{ name = "pytest" }]

[package.metadata]
requires-dist = [{ name = "anyio" }]

[[package]]
name = "shop-lib"
source = { editable = "lib" }
dependencies = [{ name = "idna", marker = "sys_platform == 'linux'" }]

[package.optional-dependencies]
fast = [{ name = "httptools" }]

[[package]]
name = "uvicorn"
version = "0.30.0"
source = { registry = "https://index.example" }
dependencies = [{ name = "idna" }]

[package.optional-dependencies]
standard = [
    { name = "httptools" },
    { name = "uvloop", marker = "sys_platform != 'win32'" },
]

[[package]]
name = "uvloop"
version = "0.19.0"
source = { registry = "https://index.example" }
"""
