"""Turns a service's HTML into plain text that is safe to keep and to show anywhere."""

import html
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

__all__ = ["plain_text"]

_READ: Final = 1 << 16  # of the markup; no honest message is longer
_REMEMBERED: Final = 1000
# The possessive quantifiers keep hostile markup linear: `html.parser` needs minutes for 64 KiB of
# opened and never closed tags.
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)[^<>]*+>|<[!?][^<>]*+>")
_LINE_BREAKS: Final = {"br", "div", "p", "li", "tr", "ul", "ol", "table", "h1", "h2", "h3", "title"}
_SILENT: Final = {"script", "style"}
# No character has such a number, and `html.unescape` fails on thousands of digits.
_HUGE_REFERENCE: Final = re.compile(r"&#[xX]?[0-9a-fA-F]{8,}+;?")


def plain_text(markup: str, *, longest: int = 4000) -> str:
    """The words of `markup`: tags gone (a progress bar has no words), entities resolved, blanks
    collapsed, at most one empty line in a row, no control or invisible characters but line ends.

    It is text, not safe HTML: `&lt;b&gt;` becomes `<b>`, so whoever shows it as HTML escapes it.

    Args:
        markup: HTML, however broken; the first 64 KiB are read, in linear time.
        longest: Characters kept; a longer text ends in `…`.
    """
    if len(markup) <= _REMEMBERED:
        return _remembered(markup, longest)
    return _plain(markup[:_READ], longest)


@lru_cache(maxsize=2048)
def _remembered(markup: str, longest: int) -> str:
    """Services say the same short things again and again."""
    return _plain(markup, longest)


def _plain(markup: str, longest: int) -> str:
    words = html.unescape(_HUGE_REFERENCE.sub("", "".join(_words(markup))))
    ends = words.replace("\t", " ").replace("\r\n", "\n").replace("\r", "\n")
    visible = "\n".join(map(_visible, ends.split("\n")))
    lines = (" ".join(line.split()) for line in visible.split("\n"))
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def _visible(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(each for each in line if not unicodedata.category(each).startswith("C"))


def _words(markup: str) -> Iterator[str]:
    """What stands between the tags, and a line end where a tag ends a line."""
    place, silent_until, is_line_open = 0, "", False
    for tag in _TAG.finditer(markup):
        before = markup[place : tag.start()]
        place = tag.end()
        is_end, name = bool(tag[1]), (tag[2] or "").lower()
        if silent_until:
            silent_until = "" if is_end and name == silent_until else silent_until
            continue
        if before:
            yield before
            is_line_open = not before.endswith("\n")
        if name in _SILENT and not is_end:
            silent_until = name
        # Nested blocks end a line once; every <br> does.
        elif name in _LINE_BREAKS and (is_line_open or name == "br"):
            yield "\n"
            is_line_open = False
    if not silent_until:
        yield markup[place:]
