"""That a guide which is wrong is found out."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.guides.following import follow
from tests.e2e.guides.reading import BadGuide, Guide, read_guide
from tests.e2e.guides.shapes import differences

PAGE = """
The token has the scope `jobs:read`; `jobs:write` is not asked for in words alone.

```sh
export API=https://imputation.example.org/api
read -rs PASSWORD && export PASSWORD
```

1. In a list:

   ```bash
   call() { echo "$1"; }
   call '{"status": "done"}'
   ```

   ```python
   import json
   print(json.dumps({"status": "done"}))
   ```

   ```json
   {"status": "done"}
   ```

```bash
call "$API"
```

`files:write` is named too late.
"""


def guide(page: str = PAGE) -> Guide:
    return read_guide("page", page)


def test_a_page_is_read_as_blocks_of_two_languages_with_their_answers() -> None:
    read = guide()
    assert read.given == {"API", "PASSWORD"}
    assert read.scopes == {"jobs:read", "jobs:write"}
    assert [(step.line, step.answer) for step in read.ways["bash"]] == [
        (11, {"status": "done"}),
        (25, None),
    ]
    assert [(step.line, step.answer) for step in read.ways["python"]] == [
        (16, {"status": "done"}),
    ]
    assert read.ways["bash"][0].text.startswith("call() {")


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ("```json\n{}\n```\n" + PAGE, "line 1: an answer to nothing"),
        (
            PAGE.replace('{"status": "done"}\n   ```\n\n```bash', "{…}\n   ```\n\n```bash"),
            "no JSON",
        ),
        (PAGE.replace("```python", "```text"), "nothing in python"),
    ],
)
def test_a_page_that_cannot_be_followed_is_refused(page: str, why: str) -> None:
    with pytest.raises(BadGuide, match=why):
        guide(page)


@pytest.mark.parametrize("language", ["bash", "python"])
def test_blocks_share_one_session_and_print_apart(language: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    followed = follow(guide(), language, environment={"API": "here"}, folder=folder)
    assert followed.printed[0].strip() == '{"status": "done"}'
    assert followed.printed[1:] == (["here\n"] if language == "bash" else [])


def test_a_secret_in_the_words_of_a_program_is_seen(tmp_path: Path) -> None:
    page = PAGE.replace('call "$API"', "printf '%s' \"$API\" | cat > kept\ncat kept ./$API || :")
    folder = tmp_path / "folder"
    folder.mkdir()
    followed = follow(guide(page), "bash", environment={"API": "hunter2"}, folder=folder)
    assert [line for line in followed.command_lines if "hunter2" in line] == ["cat kept ./hunter2"]


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        (PAGE.replace('call "$API"', "false | cat"), 25),
        (PAGE.replace('call "$API"', 'call "$UNHEARD_OF"'), 25),
        (PAGE.replace("call '{", "cull '{"), 11),
    ],
)
def test_a_block_that_fails_is_named(broken: str, line: int, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(AssertionError, match=f"block of line {line}:"):
        follow(guide(broken), "bash", environment={"API": "here"}, folder=folder)


@pytest.mark.parametrize(
    ("shown", "got"),
    [
        ({"id": 1, "name": "My study"}, {"id": 7, "name": "Other"}),
        ({"status": "completed", "rate": 0.5}, {"status": "completed", "rate": 1}),
        ([{"id": 1}], [{"id": 2}, {"id": 3}]),
        ([{"repair": None}, {"repair": "bgzip"}], [{"repair": "bgzip"}]),
        ({"files": [], "end": None}, {"files": [], "end": None}),
    ],
)
def test_an_answer_like_the_one_shown_is_taken(shown: Any, got: Any) -> None:
    assert differences(shown, got) == []


@pytest.mark.parametrize(
    ("shown", "got", "why"),
    [
        ({"id": 1}, {}, "has no `id`"),
        ({"id": 1}, {"id": 1, "name": "x"}, "has `name`, which is not shown"),
        ({"id": 1}, {"id": "1"}, "id is '1'"),
        ({"id": 1}, {"id": True}, "id is True"),
        ({"status": "completed"}, {"status": "failed"}, "status is 'failed'"),
        ({"is_active": True}, {"is_active": False}, "is_active is False"),
        ({"scopes": ["jobs:read"]}, {"scopes": ["jobs:write"]}, "scopes.0 is 'jobs:write'"),
        ([{"id": 1}], [], "the answer is"),
        ([], [1], "the answer is"),
        ({"end": None}, {"end": "2027"}, "end is '2027'"),
        ([{"id": 1}], {"id": 1}, "the answer is"),
    ],
)
def test_an_answer_unlike_the_one_shown_is_told(shown: Any, got: Any, why: str) -> None:
    (sentence,) = differences(shown, got)
    assert why in sentence
