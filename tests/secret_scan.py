"""`python -m tests.secret_scan`: no secret is in the repository.

detect-secrets looks at every file that git knows or would take. It knows secrets by their shape
(keys of clouds and forges, private keys, JWTs) and, outside of the tests, which invent their
passwords, by the name or the URL that they are in. What only looks like a secret is listed in
`.secrets.baseline` by file, kind and hash; `--accept` writes that list anew.

What it cannot see: random text without a telling name. Entropy is not asked, since the hashes of
lock files and the ids of tests would bury what matters.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from detect_secrets.core import baseline
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.plugins.base import BasePlugin
from detect_secrets.settings import transient_settings

__all__ = ["BASELINE", "find_secrets", "main"]

ROOT: Final = Path(__file__).resolve().parents[1]
BASELINE: Final = ".secrets.baseline"
_INVENTED_BY_TESTS: Final = {"Basic Auth Credentials", "Secret Keyword"}
# Addresses of networks are no secrets here.
_LEFT_OUT: Final = {"Base64 High Entropy String", "Hex High Entropy String", "Public IP (ipv4)"}
_HEURISTIC: Final = "detect_secrets.filters.heuristic."
_FILTERS: Final = (
    "detect_secrets.filters.allowlist.is_line_allowlisted",
    f"{_HEURISTIC}is_indirect_reference",
    f"{_HEURISTIC}is_not_alphanumeric_string",
    f"{_HEURISTIC}is_prefixed_with_dollar_sign",
    f"{_HEURISTIC}is_templated_secret",
)
_UNREADABLE: Final = (".gz", ".tbi", ".png", ".ico")
_HASHES: Final = {BASELINE, "requirements.txt", "requirements-dev.txt"}
_WORTH_A_POOL: Final = 100


def find_secrets(root: Path) -> list[PotentialSecret]:
    """What looks like a secret in the checkout at `root` and is not in its baseline, by place.

    Raises:
        subprocess.CalledProcessError: `root` is no checkout.
    """
    known = root / BASELINE
    with transient_settings(_settings()):
        found = _scan(root)
    if known.is_file():
        found -= SecretsCollection.load_from_baseline(json.loads(known.read_text()))
    return [secret for _, secret in found]


def main(arguments: Sequence[str]) -> int:
    """Print where secrets are, never which; 1 when there are some."""
    parser = argparse.ArgumentParser(prog="python -m tests.secret_scan")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout; this one")
    parser.add_argument("--accept", action="store_true", help=f"write {BASELINE} anew")
    options = parser.parse_args(arguments)
    if options.accept:
        with transient_settings(_settings()):
            kept = baseline.format_for_output(_scan(options.root), is_slim_mode=True)
        (options.root / BASELINE).write_text(json.dumps(kept, indent=2) + "\n")
        return 0
    found = find_secrets(options.root)
    for secret in found:
        sys.stdout.write(f"{secret.filename}:{secret.line_number}: {secret.type}\n")
    if found:
        sys.stdout.write(
            f"{len(found)} secrets, it seems. Take them out of the files, and out of use if they "
            "were ever shared; `python -m tests.secret_scan --accept` lists what is none.\n"
        )
    return 1 if found else 0


def _settings() -> dict[str, object]:
    kinds: Mapping[str, type[BasePlugin]] = get_mapping_from_secret_type_to_class()
    return {
        "plugins_used": [
            {"name": plugin.__name__} for kind, plugin in kinds.items() if kind not in _LEFT_OUT
        ],
        "filters_used": [{"path": path} for path in _FILTERS],
    }


def _scan(root: Path) -> SecretsCollection:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [
        name
        for name in listed.stdout.split("\0")
        if name and name not in _HASHES and not name.endswith(_UNREADABLE)
    ]
    found = SecretsCollection(root=str(root))
    files = [name for name in names if (root / name).is_file()]
    if len(files) > _WORTH_A_POOL:
        found.scan_files(*files)
    else:  # a pool that forks from a process with threads may hang
        for file in files:
            found.scan_file(file)
    counted = SecretsCollection()
    for name, secret in found:
        if not (name.startswith("tests/") and secret.type in _INVENTED_BY_TESTS):
            secret.filename = name
            counted[name].add(secret)
    return counted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
