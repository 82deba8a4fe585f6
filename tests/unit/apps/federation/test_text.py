import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.federation.text import plain_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<b>Samples:</b> 60", "Samples: 60"),
        ("a<br>b<br/>c<BR />d", "a\nb\nc\nd"),
        ("AAF &gt; 0.5 &amp; more&nbsp;so &#8230;", "AAF > 0.5 & more so …"),
        ("<div>one<div>two</div></div><p>three</p>", "one\ntwo\nthree"),
        ("<script>alert(1)</script>after<style>b{}</style>", "after"),
        ('<a href="javascript:x()" onclick="y()">words</a>', "words"),
        ('Phasing (1/4)<div class="bar"><div style="width: 25%"></div></div>', "Phasing (1/4)"),
        ("a\x00b\x1b[31mc\u202ed\u200be\ufefff", "ab[31mcdef"),
        ("  many\t\tblanks \r\n\r\n\r\n\r\n and lines ", "many blanks\n\nand lines"),
        ("2 < 3 and 4 > 3", "2 < 3 and 4 > 3"),
        ("&lt;script&gt;x&lt;/script&gt;", "<script>x</script>"),
        ("<!-- hidden -->shown<![CDATA[x]]><!DOCTYPE html>", "shown"),
        ("a <b class='x' title=\"y\">b</b >c", "a bc"),
        ("<SCRIPT>if (a<b) x()</SCRIPT >after", "after"),
        ("5 <10 and <unclosed", "5 <10 and <unclosed"),
        ("", ""),
    ],
)
def test_markup_becomes_its_words(markup, text):
    assert plain_text(markup) == text


def test_a_long_text_is_cut_with_a_mark():
    assert plain_text("x" * 5000) == "x" * 3999 + "…"
    assert plain_text("abcdef", longest=4) == "abc…"


@given(
    st.text(
        alphabet=st.characters(codec="utf-8") | st.sampled_from("<>&;/!-\"'= bri"), max_size=200
    )
)
def test_any_text_is_read_and_has_no_invisible_characters(markup):
    text = plain_text(markup, longest=50)

    assert len(text) <= 50
    assert text == text.strip()
    assert all(c == "\n" or not unicodedata.category(c).startswith("C") for c in text)


@pytest.mark.parametrize(
    "piece",
    [
        "<div>",
        "<!--",
        "<!-->",
        "<a ",
        "<a",
        "<",
        "&",
        "</",
        "<![CDATA[",
        '<a b="',
        "<a b='>",
        "&#9",
    ],
)
def test_hostile_markup_is_read_at_once(piece):
    assert len(plain_text(piece * 50_000)) <= 4000


def test_an_entity_of_thousands_of_digits_is_left_out():
    assert plain_text(f"a&#{'9' * 9000};b&#x{'f' * 9000};c&#65;&#x42;") == "abcAB"
