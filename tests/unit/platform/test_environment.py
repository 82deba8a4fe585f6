"""Each deployment is told its variables in one file, and nothing of the others."""

import environ
import pytest
from cryptography.fernet import Fernet

from federated_imputation.deployments import DEPLOYMENTS
from federated_imputation.platform.environment import (
    inherited_variables,
    parse_environment,
    read_environment,
    render_environment,
    write_environments,
)
from federated_imputation.platform.layout import Layout, decide_layout
from federated_imputation.platform.state import PlatformState


@pytest.fixture
def state(tmp_path):
    for name in ("env", "data", "secrets"):
        (tmp_path / name).mkdir()
    return PlatformState(tmp_path)


def test_every_deployment_gets_its_own_database_and_key(state):
    write_environments(state, Layout(offset=5), given={})
    seen = set()
    for deployment in DEPLOYMENTS:
        variables = read_environment(state, deployment.name)
        prefix = deployment.env_prefix
        assert variables["DEPLOYMENT"] == deployment.name
        assert variables["ENVIRONMENT"] == "development"
        url = variables[f"{prefix}_DATABASE_URL"]
        assert url.endswith(f"@127.0.0.1:15437/{deployment.database}")
        assert state.data(deployment.name).is_dir()
        others = {d.env_prefix for d in DEPLOYMENTS} - {prefix}
        assert not [name for name in variables if name.startswith(tuple(others))]
        seen |= {url, variables[f"{prefix}_SECRET_KEY"]}
    assert len(seen) == 2 * len(DEPLOYMENTS)


def test_a_deployment_is_told_no_secret_that_it_has_no_use_for(state):
    write_environments(state, Layout(), given={})
    for deployment in DEPLOYMENTS:
        told = read_environment(state, deployment.name).keys()
        for name in ("FIELD_ENCRYPTION_KEYS", "TOKEN_DIGEST_KEY"):
            assert (name in told) is (deployment.settings == "monolith")


def test_the_nodes_are_allowed_for_the_guarded_client_by_host_and_port(state):
    write_environments(state, Layout(offset=5), given={})
    variables = read_environment(state, "monolith")
    assert variables["GUARDED_HTTP_ALLOW"] == "127.0.0.1:8035,127.0.0.1:8036"
    Fernet(variables["FIELD_ENCRYPTION_KEYS"])


def test_a_service_on_this_machine_can_be_allowed_beside_the_nodes(state):
    write_environments(state, Layout(), given={"GUARDED_HTTP_ALLOW": "127.0.0.1:9000"})
    allowed = read_environment(state, "monolith")["GUARDED_HTTP_ALLOW"]
    assert allowed == "127.0.0.1:8030,127.0.0.1:8031,127.0.0.1:9000"


def test_files_are_private_and_secrets_survive_the_next_up(state):
    write_environments(state, Layout(), given={})
    before = {d.name: read_environment(state, d.name) for d in DEPLOYMENTS}
    write_environments(state, Layout(), given={})
    assert before == {d.name: read_environment(state, d.name) for d in DEPLOYMENTS}
    for path in [*state.root.glob("env/*"), *state.root.glob("secrets/*")]:
        assert path.stat().st_mode & 0o777 == 0o600


def test_external_servers_are_passed_on_as_given(state):
    given = {"MONOLITH_DATABASE_URL": "postgres://u:p%40@db:6000/x", "REDIS_URL": "rediss://r/3"}
    layout = decide_layout(given, remembered_offset=None)
    write_environments(state, layout, given={"NODE_ENGINE": "numpy", "UNRELATED": "x"})
    monolith, node = read_environment(state, "monolith"), read_environment(state, "node-afr")
    assert monolith["MONOLITH_DATABASE_URL"] == given["MONOLITH_DATABASE_URL"]
    assert monolith["REDIS_URL"] == node["REDIS_URL"] == given["REDIS_URL"]
    assert node["NODE_AFR_DATABASE_URL"].startswith("postgres://node_afr:")
    assert node["NODE_ENGINE"] == "numpy"
    assert "UNRELATED" not in node


VALUES = {"A": "a#b c", "B": 'say "x"', "C": "a=b==", "D": "$HOME", "E": "", "F": r"back\slash"}


def test_django_reads_the_file_as_we_do(tmp_path):
    path = tmp_path / "x.env"
    path.write_text(render_environment(VALUES))
    assert parse_environment(path.read_text()) == VALUES

    class Env(environ.Env):  # type: ignore[misc]
        ENVIRON: dict[str, str] = {}

    Env.read_env(path)
    assert VALUES == Env.ENVIRON


@pytest.mark.parametrize("value", ["two\nlines", "it's"])
def test_a_value_that_no_line_can_hold_is_refused_without_showing_it(value):
    with pytest.raises(ValueError, match="MONOLITH_DATABASE_URL") as refusal:
        render_environment({"MONOLITH_DATABASE_URL": value})
    assert value not in str(refusal.value)


def test_a_process_inherits_no_secret_of_the_shell():
    given = {"PATH": "/bin", "LC_ALL": "C", "AWS_SECRET_ACCESS_KEY": "x", "DEPLOYMENT": "other"}
    assert inherited_variables(given) == {"PATH": "/bin", "LC_ALL": "C"}
