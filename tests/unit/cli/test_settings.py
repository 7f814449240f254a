"""Where settings come from, which one wins, and what is said of a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chainctl.cli.settings import (
    Settings,
    environment_variables,
    load_settings,
    settings_sources,
    unknown_variables,
)
from chainctl.errors import UsageError


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Settings]:
    """Load from tmp_path/project/deep, with tmp_path/user.toml as the user's file."""
    (tmp_path / "project" / "deep").mkdir(parents=True)

    def loaded(environ: dict[str, str] | None = None, **given: Any) -> Settings:
        return load_settings(tmp_path / "project" / "deep", environ or {}, given, tmp_path / "user.toml")

    return loaded


def test_defaults(load: Callable[..., Settings]) -> None:
    """Without any source, everything is at its default; a None on the command line is not given."""
    assert load(target=None) == Settings()


def test_each_source_beats_the_one_before(load: Callable[..., Settings], tmp_path: Path) -> None:
    """User's file, project's file, environment, command line: key by key."""
    (tmp_path / "user.toml").write_text(
        'target = "docker"\nport = 1\nbind = "1.1.1.1"\nbuilder = "classic"\n'
    )
    (tmp_path / "project/chainctl.toml").write_text('port = 2\nbind = "2.2.2.2"\nbuilder = "auto"\n')
    settings = load({"CHAINCTL_BIND": "3.3.3.3", "CHAINCTL_BUILDER": "classic"}, builder="buildkit")
    assert (settings.target, settings.port, settings.bind) == ("docker", 2, "3.3.3.3")
    assert settings.builder == "buildkit"


def test_pyproject_counts_only_with_our_table(load: Callable[..., Settings], tmp_path: Path) -> None:
    """A pyproject.toml of somebody else is passed by on the way up."""
    (tmp_path / "project/deep/pyproject.toml").write_text("[tool.other]\nport = 7\n")
    (tmp_path / "project/pyproject.toml").write_text("[tool.chainctl]\nport = 8\n")
    assert load().port == 8


def test_chainctl_toml_beats_pyproject_beside_it(load: Callable[..., Settings], tmp_path: Path) -> None:
    """One project file is read, not two."""
    (tmp_path / "project/pyproject.toml").write_text('[tool.chainctl]\nport = 8\nbind = "8.8.8.8"\n')
    (tmp_path / "project/chainctl.toml").write_text("port = 9\n")
    assert (load().port, load().bind) == (9, "127.0.0.1")


def test_the_search_ends_at_the_root_of_the_repository(load: Callable[..., Settings], tmp_path: Path) -> None:
    """A file above `.git` belongs to something else; one beside it counts."""
    (tmp_path / "chainctl.toml").write_text("port = 1\n")
    assert load().port == 1
    (tmp_path / "project/.git").mkdir()
    assert load().port is None
    (tmp_path / "project/chainctl.toml").write_text("port = 2\n")
    assert load().port == 2


def test_paths_are_relative_to_their_file(load: Callable[..., Settings], tmp_path: Path) -> None:
    """Where the command is run does not matter; `~` and absolute paths are kept as meant."""
    (tmp_path / "project/chainctl.toml").write_text(
        'secrets_file = "s.env"\nstate_dir = "/abs"\nca_certificates = ["ca.pem", "~/ca.pem"]\n'
    )
    settings = load()
    assert settings.secrets_file == tmp_path / "project/s.env"
    assert settings.state_dir == Path("/abs")
    assert settings.ca_certificates == (tmp_path / "project/ca.pem", Path.home() / "ca.pem")


def test_paths_of_the_environment_are_relative_to_the_working_directory(
    load: Callable[..., Settings],
) -> None:
    """They are made absolute, too; certificates are separated by colons."""
    settings = load({"CHAINCTL_CA_CERTIFICATES": "a.pem:/b.pem", "CHAINCTL_STATE_DIR": "state"})
    assert settings.ca_certificates == (Path.cwd() / "a.pem", Path("/b.pem"))
    assert settings.state_dir == Path.cwd() / "state"


def test_an_empty_variable_is_none(load: Callable[..., Settings]) -> None:
    """CI systems set variables of which they know no value."""
    assert load({"CHAINCTL_PORT": "", "CHAINCTL_CA_CERTIFICATES": "", "CHAINCTL_TARGET": ""}) == Settings()


@pytest.mark.parametrize(
    ("given", "bind"),
    [("localhost", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("::1", "::1"), ("::", "::")],
)
def test_localhost_is_the_only_name_that_is_an_address(
    load: Callable[..., Settings], given: str, bind: str
) -> None:
    """An engine that gets any other name publishes on all interfaces."""
    assert load({"CHAINCTL_BIND": given}).bind == bind


def test_a_proxy_is_shown_without_its_login(load: Callable[..., Settings]) -> None:
    """Those who use it get it whole."""
    url = "http://ada:love%40lace@proxy.example:3128"
    made = load({"CHAINCTL_HTTP_PROXY": url, "CHAINCTL_HTTPS_PROXY": "http://proxy.example:1"})
    assert made.http_proxy == url
    shown = made.model_dump(mode="json")
    assert shown["http_proxy"] == "http://[REDACTED]@proxy.example:3128"
    assert shown["https_proxy"] == "http://proxy.example:1"
    assert "love" not in repr(made)


def test_a_mirror_ends_without_a_slash(load: Callable[..., Settings]) -> None:
    """What follows it begins with one."""
    assert load({"CHAINCTL_APT_MIRROR": "http://mirror.example/x/"}).apt_mirror == "http://mirror.example/x"


def test_variables_that_are_no_settings() -> None:
    """Secrets and switches of other parts are known; a slip of the pen is found."""
    environ = dict.fromkeys(
        ["CHAINCTL_SECRET_A", "CHAINCTL_API_KEY", "CHAINCTL_PORT", "CHAINCTL_TRAGET", "HOME"], "x"
    )
    assert unknown_variables(environ) == ["CHAINCTL_TRAGET"]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("prot = 1\n", "has no setting called `prot`", "did you mean `port`?"),
        ("zzz = 1\n", "has no setting called `zzz`", "`chainctl doctor --settings` lists all settings."),
        (
            'target = "moon"\n',
            "there is no target called 'moon'",
            "name one of auto, docker, local, swarm, kubernetes, or begin a table of it with ",
        ),
        ('bind = "example.org"\n', "`bind`: Input should be an IP address", "`bind` is: IP address that "),
        ('bind = "999.1.1.1"\n', "`bind`: Input should be an IP address", "`bind` is: "),
        (
            'http_proxy = "proxy:3128"\n',
            "`http_proxy`: Input should be a URL such as http://HOST:3128",
            "`http_",
        ),
        (
            'apt_mirror = "http://a:b@m"\n',
            "`apt_mirror`: Input should be a URL such as http://HOST, without",
            "",
        ),
        (
            'platform = "arm64"\n',
            "`platform`: Input should be linux/amd64 or linux/arm64",
            "`platform` is: platform of the images",
        ),
        (
            'index_url = "pypi.example/simple"\n',
            "`index_url`: Input should be a URL such as https://HOST/simple",
            "`index_url` is: ",
        ),
        (
            'extra_index_urls = ["https://a/simple", "b"]\n',
            "`extra_index_urls`: Input should be a URL such as https://HOST/simple",
            "`extra_index_urls` is: ",
        ),
        (
            'extra_index_urls = "https://a/simple"\n',
            "`extra_index_urls`: Input should be a list",
            "`extra_index_urls` is: ",
        ),
        ("start_timeout_sec = true\n", "`start_timeout_sec`: Input should be a number", ""),
        ("port = 0\n", "`port`: Input should be greater than or equal to 1", "`port` is: "),
        ("ca_certificates = [3]\n", "`ca_certificates`: Input is not a valid path", "`ca_certificates` is: "),
        ("state_dir = 3\n", "`state_dir`: Input is not a valid path", "`state_dir` is: "),
        ("port = \n", "cannot be read: Invalid value", ""),
    ],
)
def test_what_is_wrong_is_named_with_its_file(
    load: Callable[..., Settings], tmp_path: Path, text: str, message: str, hint: str
) -> None:
    """File and key, and what the key is for."""
    path = tmp_path / "project/chainctl.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load()
    assert caught.value.message.startswith(str(path))
    assert message in caught.value.message
    assert caught.value.hint.startswith(hint)


def test_other_sources_are_named_too(load: Callable[..., Settings]) -> None:
    """A wrong value of a variable or an option is not blamed on a file."""
    with pytest.raises(UsageError, match="the environment: `port`: Input should be a valid integer"):
        load({"CHAINCTL_PORT": "many"})
    with pytest.raises(UsageError, match="the environment: `extra_index_urls`: Input should be a URL"):
        load({"CHAINCTL_EXTRA_INDEX_URLS": "https://a/simple,https://b/simple"})
    with pytest.raises(UsageError, match="the command line: there is no target called 'moon'"):
        load(target="moon")


def test_a_file_that_is_no_text_is_no_crash(load: Callable[..., Settings], tmp_path: Path) -> None:
    """TOML is UTF-8; anything else is an error that names the file."""
    (tmp_path / "project/chainctl.toml").write_bytes(b'bind = "\xff"\n')
    with pytest.raises(UsageError, match=r"chainctl\.toml cannot be read"):
        load()


def test_a_table_that_is_none_is_no_crash(load: Callable[..., Settings], tmp_path: Path) -> None:
    """`chainctl = "x"` below [tool] is a mistake, not a setting."""
    (tmp_path / "project/pyproject.toml").write_text('[tool]\nchainctl = "x"\n')
    with pytest.raises(UsageError, match=r"`tool\.chainctl` is no table"):
        load()


def test_sources_are_told_in_the_order_of_precedence(tmp_path: Path) -> None:
    """Who says what, for `doctor` to show."""
    (tmp_path / "user.toml").write_text("port = 1\n")
    (tmp_path / "chainctl.toml").write_text("port = 2\n")
    environ = {"CHAINCTL_PORT": "3"}
    assert list(settings_sources(tmp_path, environ, {"port": 4, "bind": None}, tmp_path / "user.toml")) == [
        (str(tmp_path / "user.toml"), {"port": 1}),
        (str(tmp_path / "chainctl.toml"), {"port": 2}),
        ("the environment", {"port": "3"}),
        ("the command line", {"port": 4}),
    ]


def test_the_table_of_the_environment_wins_over_its_file(tmp_path: Path) -> None:
    """Only the chosen one; a variable still wins over it. Its variables are no settings."""
    text = 'port = 1\n[environments.prod]\nport = 2\n[environments.prod.env]\nLEVEL = "x"\n'
    (tmp_path / "chainctl.toml").write_text(text)
    none = tmp_path / "none.toml"
    assert load_settings(tmp_path, {}, {}, none).port == 1
    assert load_settings(tmp_path, {"CHAINCTL_ENVIRONMENT": "prod"}, {}, none).port == 2
    environ = {"CHAINCTL_ENVIRONMENT": "prod", "CHAINCTL_PORT": "3"}
    assert load_settings(tmp_path, environ, {}, none).port == 3
    assert environment_variables(tmp_path, none, "prod") == {"LEVEL": "x"}
    assert environment_variables(tmp_path, none, "dev") == {}


TABLES = """
port = 1
bind = "1.1.1.1"
drain_sec = 5
[targets.lab]
kind = "docker"
docker_host = "tcp://lab:2376"
port = 2
secrets_file = "lab.env"
"""


def test_the_table_of_the_target_wins_over_files(tmp_path: Path) -> None:
    """Only the chosen one; variables and options still win over it. Paths are relative to its file."""
    (tmp_path / "chainctl.toml").write_text(TABLES)
    none = tmp_path / "none.toml"
    auto = load_settings(tmp_path, {}, {}, none)
    assert (auto.port, auto.docker_host, auto.kind) == (1, None, "auto")
    assert auto.target_names[-1] == "lab"
    assert "lab" in auto.wanted_targets
    lab = load_settings(tmp_path, {"CHAINCTL_BIND": "3.3.3.3"}, {"target": "lab"}, none)
    assert (lab.port, lab.bind, lab.drain_sec, lab.kind) == (2, "3.3.3.3", 5, "docker")
    assert lab.secrets_file == tmp_path / "lab.env"
    assert lab.wanted_targets == ("lab",)
    assert load_settings(tmp_path, {"CHAINCTL_PORT": "3", "CHAINCTL_TARGET": "lab"}, {}, none).port == 3


def test_a_target_that_is_found_later_has_its_settings(tmp_path: Path) -> None:
    """With auto it is known only once the chain is: then all is as if it had been named."""
    (tmp_path / "chainctl.toml").write_text(TABLES)
    none = tmp_path / "none.toml"
    for environ in ({}, {"CHAINCTL_PORT": "3"}):
        later = load_settings(tmp_path, environ, {}, none).on("lab")
        named = load_settings(tmp_path, environ, {"target": "lab"}, none)
        assert later.model_dump() == named.model_dump()
        assert later.kind == "docker"
    assert later.port == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("targets = 1", "`targets` is no table of tables"),
        ("[targets]\nlab = 1", "`targets` is no table of tables"),
        ("[targets.lab]\nport = 2", r"\[targets.lab\] has no `kind`"),
        ('[targets.lab]\nkind = "moon"', r"\[targets.lab\] has the kind 'moon'"),
        ('[targets.lab]\nkind = "local"', r"\[targets.lab\] has the kind 'local'"),
        ('[targets.docker]\nkind = "docker"', "'docker' can not name a target of your own"),
        ('[targets."a b"]\nkind = "docker"', "'a b' can not name a target of your own"),
        ('[targets.lab]\nkind = "docker"\nstate_dir = "x"', "sets `state_dir`"),
        ('[targets.lab]\nkind = "docker"\nprot = 1', r"\[targets.lab\] has no setting called `prot`"),
        ('[targets.lab]\nkind = "docker"\nport = 0', r"\[targets.lab\]: `port`"),
        ("[environments.prod.targets.lab]\nport = 1", "sets `targets`"),
    ],
)
def test_a_wrong_table_of_a_target_is_named(tmp_path: Path, text: str, message: str) -> None:
    """Whether it is the chosen one or not."""
    (tmp_path / "chainctl.toml").write_text(text + "\n")
    with pytest.raises(UsageError, match=message):
        load_settings(tmp_path, {"CHAINCTL_ENVIRONMENT": "prod"}, {}, tmp_path / "none.toml")
