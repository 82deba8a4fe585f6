"""The guides, followed to the letter on a running platform, with curl and with Python."""

import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, get_args

import pytest

from federated_imputation.platform.state import CHECKOUT
from tests.e2e.guides.following import Followed, follow
from tests.e2e.guides.reader import GuideReader
from tests.e2e.guides.reading import Guide, Language, Step, find_guides
from tests.e2e.guides.shapes import differences
from tests.platforms import OwnPlatform

pytestmark = pytest.mark.timeout(900)

GUIDES: Final = find_guides(CHECKOUT / "docs" / "how-to")
# Of an access token, or of an API token beyond the characters that are shown on purpose.
_TOKEN: Final = re.compile(r"\beyJ|\bfip_\w{9}")
NEEDED: Final = {"bash": ("bash", "curl", "jq", "sha256sum"), "python": ()}


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A guide in one language on its way to the end; `secrets` are what must not show."""

    followed: Future[Followed]
    secrets: set[str]


@pytest.fixture(scope="module")
def attempts(
    numpy_platform: OwnPlatform,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[tuple[str, Language], Attempt]]:
    """All guides that this run of pytest asks for, begun at once: they mostly wait for jobs."""
    numpy_platform.up()
    reader = GuideReader(numpy_platform)
    wanted = list(_asked_for(request))
    with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
        yield {
            (guide.name, language): _begin(pool, reader, guide, language, tmp_path_factory)
            for guide, language in wanted
            if not _missing(language)
        }


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_a_guide_works_as_it_is_written(
    attempts: dict[tuple[str, Language], Attempt], guide: Guide, language: Language
) -> None:
    if missing := _missing(language):
        pytest.skip(f"Not installed: apt-get install {' '.join(missing)}")
    attempt = attempts[guide.name, language]
    followed = attempt.followed.result()
    wrong = [
        f"{guide.name}, line {step.line}: {sentence}"
        for step, printed in zip(guide.ways[language], followed.printed, strict=True)
        for sentence in _differences(step, printed)
    ]
    assert wrong == []
    assert _leaks(followed, attempt.secrets) == []


def test_the_five_tasks_have_guides() -> None:
    assert {guide.name for guide in GUIDES} == {
        "check-a-file",
        "repeat-a-study",
        "send-to-several-services",
        "sign-in-from-a-program",
        "submit-a-study",
    }


def _asked_for(request: pytest.FixtureRequest) -> Iterator[tuple[Guide, Language]]:
    for item in request.session.items:
        if getattr(item, "module", None) is request.module and hasattr(item, "callspec"):
            parameters: dict[str, Any] = item.callspec.params
            yield parameters["guide"], parameters["language"]


def _missing(language: Language) -> list[str]:
    return [program for program in NEEDED[language] if shutil.which(program) is None]


def _begin(
    pool: ThreadPoolExecutor,
    reader: GuideReader,
    guide: Guide,
    language: Language,
    folders: pytest.TempPathFactory,
) -> Attempt:
    place = folders.mktemp(f"{guide.name}-{language}")
    folder, own_things = place / "folder", place / "reader"
    folder.mkdir()
    own_things.mkdir()
    environment = reader.fill_in(guide.given, scopes=guide.scopes, folder=own_things)
    followed = pool.submit(follow, guide, language, environment=environment, folder=folder)
    return Attempt(followed=followed, secrets=reader.secrets)


def _differences(step: Step, printed: str) -> list[str]:
    if step.answer is None:
        return []
    try:
        got = json.loads(printed)
    except ValueError:
        return [f"this is no JSON: {printed!r}"]
    return differences(step.answer, got)


def _leaks(followed: Followed, secrets: set[str]) -> list[str]:
    """Lines that hold a secret, printed or on the command line of a program."""
    told = [*followed.printed, followed.complaints, *followed.command_lines]
    return [
        line
        for each in told
        for line in each.splitlines()
        if any(secret in line for secret in secrets) or _TOKEN.search(line)
    ]
