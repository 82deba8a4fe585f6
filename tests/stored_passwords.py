"""Stored passwords that other programs made, from `tests/data/passwords/stored.tsv`.

Each line names the command whose output `stored` is: OpenSSL 3.0, htpasswd of Apache 2.4, crypt(3)
through perl 5.36, argon2 of 20171227, coreutils and Python's hashlib. None of them is Django, and
none is a library that checks here, but for OpenSSL below hashlib.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["CHEAP", "OPENED_BY_NOTHING", "STORED", "StoredPassword", "named"]


@dataclass(frozen=True, kw_only=True)
class StoredPassword:
    """One line of the table: `command` prints what is `stored` for the `password`."""

    form: str
    password: str
    stored: str
    command: str

    def __str__(self) -> str:
        return self.form


def _read(path: Path) -> list[StoredPassword]:
    with path.open(newline="", encoding="utf-8") as lines:
        return [
            StoredPassword(**line)
            for line in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


STORED: Final = _read(Path(__file__).parent / "data" / "passwords" / "stored.tsv")
# All forms, without the counts that take a good part of a second.
CHEAP: Final = [
    stored
    for stored in STORED
    if not re.search(r"pbkdf2_sha256 \d{6}|cost 12|as Django", stored.form)
]


def named(form: str) -> StoredPassword:
    """The stored password of that form."""
    return next(stored for stored in STORED if stored.form == form)


_PBKDF2 = named("pbkdf2_sha256 of one character").stored
_BCRYPT = named("raw bcrypt 2b").stored
_ARGON2 = named("argon2id").stored

# What no password opens, by what is the matter with it.
OPENED_BY_NOTHING: Final = {
    "empty": "",
    "unusable": "!",
    "unusable, as Django writes it": "!J9hW2sXe7KqLz4TnVbR1mYc6PdUf3GoA8iSr5Ek0",
    "plain text": "correct horse",
    "dollars": "$$$",
    "an unknown algorithm": "crypt$$abcdefghijklm",
    "pbkdf2, only the name": "pbkdf2_sha256",
    "pbkdf2, cut": _PBKDF2[:-2],
    "pbkdf2, no number": "pbkdf2_sha256$x$salt$hash",
    "pbkdf2, no iterations": "pbkdf2_sha256$0$salt$hash",
    "pbkdf2, iterations below none": "pbkdf2_sha256$-1$salt$hash",
    "pbkdf2, no salt": "pbkdf2_sha256$1$$hash",
    "pbkdf2, not ASCII": "pbkdf2_sha256$1$é🧬$é",
    "pbkdf2, hours of work": "pbkdf2_sha256$999999999$salt$hash",
    "pbkdf2, more work than C counts": "pbkdf2_sha256$9999999999$salt$hash",
    "pbkdf2_sha1, hours of work": "pbkdf2_sha1$999999999$salt$hash",
    "bcrypt, cut": _BCRYPT[:-1],
    "bcrypt, longer": _BCRYPT + "a",
    "bcrypt, other letters": "bcrypt$$2b$04$" + "!" * 53,
    "bcrypt, the version of a faulty program": _BCRYPT.replace("2b", "2x"),
    "bcrypt, days of work": _BCRYPT.replace("$06$", "$31$"),
    "bcrypt, behind its name, days of work": "bcrypt$" + _BCRYPT.replace("$06$", "$31$"),
    "bcrypt, less work than there is": "bcrypt$" + _BCRYPT.replace("$06$", "$00$"),
    "bcrypt, behind the other name": "bcrypt_sha256$" + _BCRYPT,
    "bcrypt_sha256, days of work": "bcrypt_sha256$" + _BCRYPT.replace("$06$", "$31$"),
    "argon2, only the name": "argon2$",
    "argon2, cut": _ARGON2[:-3],
    "argon2, not ASCII": "argon2$argon2id$v=19$m=8,t=1,p=1$é$aaaa",
    "argon2, too much memory": _ARGON2.replace("m=256", "m=1048576"),
    "argon2, too much work": _ARGON2.replace("m=256,t=1", "m=524288,t=5"),
    "argon2, all memory": _ARGON2.replace("m=256", "m=4294967295"),
    "argon2, hours of work": _ARGON2.replace("t=1", "t=4294967295"),
    "argon2, too many lanes": _ARGON2.replace("m=256,t=1,p=1", "m=524288,t=1,p=65536"),
    "argon2, no memory": _ARGON2.replace("m=256", "m=0"),
    "argon2, memory below none": _ARGON2.replace("m=256", "m=-8"),
    "scrypt, cut": "scrypt$1024$salt",
    "scrypt, too much work": "scrypt$16384$salt$8$64$hash",
    "scrypt, all memory": "scrypt$1073741824$salt$8$1$hash",
    "scrypt, hours of work": "scrypt$16384$salt$8$1048576$hash",
    "scrypt, no power of two": "scrypt$1000$salt$8$1$hash",
    "scrypt, below none": "scrypt$-2$salt$-8$1$hash",
    "md5, no digest": "md5$salt",
    "md5, no salt, no digest": "md5$$",
    "md5, unsalted, other letters": "md5$$" + "x" * 32,
    "sha1, no digest": "sha1$salt",
    "sha1, unsalted, other letters": "sha1$$" + "x" * 40,
    "unsalted md5, the name of the class": "unsalted_md5$x",
}
