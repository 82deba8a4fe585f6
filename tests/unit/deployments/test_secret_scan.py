"""A secret that somebody adds to the repository is found before it is committed."""

import subprocess

import pytest

from tests.secret_scan import BASELINE, find_secrets, main

PASSWORD = "Tr0ub4dor" + "-and-3"
PRIVATE_KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n"
CLOUD_KEY = "AKIA" + "Z7QH4MX2L5TWVC3P"
URL = "postgres://monolith:" + PASSWORD + "@db.example.org/x"


@pytest.fixture
def checkout(tmp_path):
    """A checkout with one harmless file."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)  # noqa: S607
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    (tmp_path / "harmless.py").write_text('API_KEY = environ["API_KEY"]\nname = "x"\n')
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("deploy/id_rsa", PRIVATE_KEY, "Private Key"),
        ("settings.py", f'AWS = "{CLOUD_KEY}"\n', "AWS Access Key"),
        ("settings.py", f'PASSWORD = "{PASSWORD}"\n', "Secret Keyword"),
        ("deploy.env", f"SECRET_KEY={PASSWORD}\n", "Secret Keyword"),
        ("docs/how-to.md", f"Set `DATABASE_URL={URL}`.\n", "Basic Auth Credentials"),
        ("tests/test_x.py", PRIVATE_KEY, "Private Key"),
    ],
)
def test_planted_secret_is_found_and_not_shown(checkout, capsys, name, text, kind):
    assert main(["--root", str(checkout)]) == 0
    path = checkout / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)

    assert main(["--root", str(checkout)]) == 1
    said = capsys.readouterr().out
    assert f"{name}:1: {kind}" in said
    for secret in (PASSWORD, CLOUD_KEY, "MIIEpAIBAAKCAQEA"):
        assert secret not in said


def test_password_that_a_test_invents_is_none(checkout):
    (checkout / "tests").mkdir()
    (checkout / "tests" / "test_x.py").write_text(f'PASSWORD = "{PASSWORD}"\nURL = "{URL}"\n')
    assert find_secrets(checkout) == []


def test_file_that_git_ignores_is_not_looked_at(checkout):
    (checkout / "ignored.py").write_text(PRIVATE_KEY)
    assert find_secrets(checkout) == []


def test_what_was_accepted_is_known_in_its_file_only_and_by_its_hash(checkout):
    (checkout / "a.py").write_text(f'PASSWORD = "{PASSWORD}"\n')
    assert main(["--root", str(checkout), "--accept"]) == 0
    assert PASSWORD not in (checkout / BASELINE).read_text()
    (checkout / "a.py").write_text(f'\n\nPASSWORD = "{PASSWORD}"\n')
    assert find_secrets(checkout) == []

    (checkout / "b.py").write_text(f'PASSWORD = "{PASSWORD}"\n')
    (checkout / "a.py").write_text(f'PASSWORD = "{PASSWORD}x"\n')
    assert [secret.filename for secret in find_secrets(checkout)] == ["a.py", "b.py"]
