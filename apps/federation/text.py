"""Turns a service's HTML into plain text that is safe to keep and to show anywhere."""

import re
import unicodedata
from html.parser import HTMLParser
from typing import Final

__all__ = ["plain_text"]

_READ: Final = 1 << 16  # of the markup; no honest message is longer
_LINE_BREAKS: Final = {"br", "div", "p", "li", "tr", "ul", "ol", "table", "h1", "h2", "h3", "title"}
_SILENT: Final = {"script", "style"}


def plain_text(markup: str, *, longest: int = 4000) -> str:
    """The words of `markup`: tags gone (a progress bar has no words), entities resolved, blanks
    collapsed, at most one empty line in a row, no control or invisible characters but line ends.

    It is text, not safe HTML: `&lt;b&gt;` becomes `<b>`, so whoever shows it as HTML escapes it.

    Args:
        markup: HTML, however broken.
        longest: Characters kept; a longer text ends in `…`.
    """
    words = _Words()
    words.feed(markup[:_READ])
    words.close()
    visible = "".join(
        character
        for character in words.text().replace("\t", " ").replace("\r\n", "\n").replace("\r", "\n")
        if character == "\n" or not unicodedata.category(character).startswith("C")
    )
    lines = (" ".join(line.split()) for line in visible.split("\n"))
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._silent = 0

    def text(self) -> str:
        return "".join(self._pieces)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag != "br":
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._pieces.append(data)

    def _break(self, tag: str) -> None:
        # An end tag right after a start tag would make empty lines of nested blocks.
        if tag == "br" or (
            tag in _LINE_BREAKS and self._pieces and not self._pieces[-1].endswith("\n")
        ):
            self._pieces.append("\n")
