"""The table of hard times names every test of them."""

from federated_imputation.platform.state import CHECKOUT

TABLE = (CHECKOUT / "docs" / "reference" / "hard-times.md").read_text()


def test_every_chaos_test_is_in_the_table():
    files = {path.name for path in (CHECKOUT / "tests" / "chaos").glob("test_*.py")}
    assert files
    assert {name for name in files if f"`{name}`" not in TABLE} == set()


def test_the_table_names_no_test_that_is_not_there():
    named = {word for word in TABLE.split("`") if word.endswith(".py")}
    folders = (CHECKOUT / "tests" / "chaos", CHECKOUT)
    assert {n for n in named if not any((folder / n).is_file() for folder in folders)} == set()
