"""A server of our own to be judged: the monolith with the first data, and somebody with results."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.contract.scene import Credentials
from tests.served import create_database, fill, of_database, serving

__all__ = ["own_server"]

_PASSWORD: Final = "correct horse battery staple"
_CREDENTIALS: Final = Credentials(username="admin", password=_PASSWORD, owner=("ada", _PASSWORD))


@contextmanager
def own_server(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[str, Credentials]]:
    """Yields its address, and who may ask.

    Args:
        environment: Points at running servers, as `tests.servers` makes it.
        folder: For its log and its data.
    """
    name = f"contract_{folder.name.replace('-', '_')}"
    own = of_database(
        {**environment, "DJANGO_SETTINGS_MODULE": "tests.fuzz.settings"}, name, folder / "data"
    )
    create_database(own, name)
    fill(own, build="tests.fuzz.world:build")
    with serving(own, folder / "log") as address:
        yield address, _CREDENTIALS
