"""`manage.py platform …`."""


def main(arguments: list[str]) -> int:
    """Run one command of the platform and return its exit status."""
    return 2
