"""The fourteen security mistakes of the legacy system, each with the test that it would fail.

Numbered as in the list of them in `docs/explanation/security.md`. Most have longer tests beside
the code; these show the essence of each.
"""

import re

from federated_imputation.deployments import DEPLOYMENTS
from federated_imputation.platform.environment import read_environment, write_environments
from federated_imputation.platform.layout import Layout
from federated_imputation.platform.state import PlatformState
from tests.unit.deployments.test_start import _needed, _start

MONOLITH = next(deployment for deployment in DEPLOYMENTS if deployment.settings == "monolith")


def test_mistake_01_default_secrets_no_production_start_without_its_own():
    done = _start(MONOLITH, "command", {})

    assert done.returncode != 0
    missing = set(re.findall(r"[A-Z_]{8,}", (done.stdout + done.stderr).splitlines()[-1]))
    assert missing >= set(_needed(MONOLITH))


def test_mistake_01_default_secrets_each_fresh_platform_makes_its_own(tmp_path):
    seen = []
    for name in ("one", "two"):
        for folder in ("env", "data", "secrets"):
            (tmp_path / name / folder).mkdir(parents=True)
        state = PlatformState(tmp_path / name)
        write_environments(state, Layout(), given={})
        seen += [path.read_text() for path in (state.root / "secrets").iterdir()]
        assert read_environment(state, "monolith")["MONOLITH_SECRET_KEY"] in seen

    assert len(seen) >= 2 * 2 * len(DEPLOYMENTS)
    assert len(set(seen)) == len(seen)
    assert min(map(len, seen)) >= 32
