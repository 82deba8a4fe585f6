"""Removing secrets from a text that is kept: the last net, not the first.

Code never logs a secret on purpose. This is for what slips in: the text of an exception that
repeats a URL, a header, a row or a file. A secret is known by the name before it or by its own
shape, and too much is removed rather than too little.

What it cannot see: a secret without a telling name or shape, such as a password alone.
"""

import re
from typing import Final

__all__ = ["MASK", "scrub"]

MASK: Final = "[removed]"

# What is before a secret may be removed as well, so one begins wherever no letter is before it, not
# only at a whole word.
#
# Hostile text must not cost more than linear time: every repetition is bounded, or what follows a
# beginning runs to an end that the next beginning lies behind.

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_USER_IN_URL = re.compile(r"""://[^\s/?#"'<>]+@""")
_SCHEME = re.compile(
    r"(?<![a-z])(?P<scheme>bearer|basic)(?P<gap>\s{1,3})(?=[\w.~+/=-]{0,4096}\d)[\w.~+/=-]{6,}",
    re.IGNORECASE,
)
_VALUE = r"""
    (?P<gap>\\{0,3}["']?\s{0,3}(?:=>|[:=]|,(?=\s{0,3}b?["']))\s{0,3}(?:b(?=["']))?)
    (?:
        (?P<double>")(?:[^"\\\n]|\\.)*
      | (?P<single>')(?:[^'\\\n]|\\.)*
      | (?P<escaped>\\{1,3}["'])[^"'\\\n]*
      | %s
    )
"""
# A header's value has spaces in it: without quotes it runs to the end of the line.
_HEADER = re.compile(
    r"(?P<name>cookie|authorization)" + _VALUE % r"""[^\s"'\\][^\n]*""",
    re.IGNORECASE | re.VERBOSE,
)
_NAMED = re.compile(
    r"""(?P<name>
        passw(?:or)?d | passphrase | pwd | secret | credential | token | jwt
      | (?:api|access|secret|signing|private|encryption|digest)[-_ ]?key
      | session(?:id|[-_]?key)
    )s?"""
    + _VALUE % r"""[^\s&"'\\][^\s&"']*""",
    re.IGNORECASE | re.VERBOSE,
)
# What PostgreSQL tells of the row that it refused (its DETAIL line).
_ROW = re.compile(
    r"(?P<name>key \([^()\n]{0,200}\)=\(|failing row contains \()[^\n]*", re.IGNORECASE
)
_PASSWORD_HASH = re.compile(
    r"(?:(?<![A-Za-z])(?:pbkdf2_sha\d{1,3}|argon2(?:id|i|d)?|bcrypt(?:_sha256)?|scrypt|md5|sha1)"
    r"|\$2[abxy]?)\$[^\s\"']{8,}"
)
_GENOTYPE = r"[\d.]{1,3}[|/][\d.]{1,3}"
_COLUMN = rf"{_GENOTYPE}(?::[^\s\\]{{0,64}})?"
_GENOTYPES = re.compile(
    rf"(?<![\d.])(?:{_COLUMN}(?:(?:\\t|[\t ]){{1,4}}{_COLUMN}){{3,}}"
    rf"|{_GENOTYPE}(?:, ?{_GENOTYPE}){{3,}})"
)
_RUN = re.compile(r"[\w.-]{16,}={0,2}", re.ASCII)
_SESSION_KEY = re.compile(r"(?=[a-z]*\d)(?=[a-f0-9]*[g-z])[a-z0-9]{32}")


def scrub(text: str) -> str:
    """Return `text` with what looks like a secret or like genotypes replaced by `MASK`.

    Doing it twice changes nothing more, and the time is linear in the length of the text.
    """
    text = _PRIVATE_KEY.sub(MASK, text)
    text = _USER_IN_URL.sub(f"://{MASK}@", text)
    text = _SCHEME.sub(rf"\g<scheme>\g<gap>{MASK}", text)
    text = _HEADER.sub(_masked_value, text)
    text = _NAMED.sub(_masked_value, text)
    text = _ROW.sub(rf"\g<name>{MASK}", text)
    text = _PASSWORD_HASH.sub(MASK, text)
    text = _GENOTYPES.sub(MASK, text)
    return _RUN.sub(_masked_run, text)


def _masked_value(found: re.Match[str]) -> str:
    quote = found["double"] or found["single"] or found["escaped"] or ""
    before = found.string[found.start() : found.end("gap")]
    return f"{before}{quote}{MASK}"


def _masked_run(found: re.Match[str]) -> str:
    return MASK if _has_shape(found[0]) else found[0]


def _has_shape(run: str) -> bool:
    """Whether it is or ends with a JWT (RFC 7515 7.1), a Fernet token or an API token of ours."""
    for beginning, shortest in (("gAAAA", 24), ("fip_", 28), ("eyJ", 12)):
        _, found, rest = run.partition(beginning)
        if found and len(found) + len(rest) >= shortest and (beginning != "eyJ" or "." in rest):
            return True
    return _SESSION_KEY.fullmatch(run.strip(".-=")) is not None
