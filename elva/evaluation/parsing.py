"""Which option a reply to a multiple-choice question names. Fixed rules; what they do not cover is not guessed.

A rule finds the letters that a reply claims. The first rule that finds any decides: one letter that the question has
is the answer; two letters, or one that the question does not have, are none. Table: docs/evaluation_scores.md.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

from elva.structures.question import LETTERS

from .text import normalise_answer

_NO_NOUN = "because|since|as|which|where|when|with|according"
"""Words that follow no article: in 'A because he ran' the A is a letter, in 'A man ran' it is not."""

_ENDS = rf"(?=\s*(?:[,:;!)\]}}<\n]|\.(?!\w)|\s[-\u2013\u2014]|$)|\s+(?i:{_NO_NOUN})\b(?!-))"
_LETTER = rf"(?:[(\[{{\"']\s*([A-Za-z])\s*[)\]}}\"']|([A-Z]){_ENDS}|([a-z])(?=\)))"
"""An option's letter: in brackets or quotes, or a capital that a word cannot follow; small only before a bracket."""

_NAMED = rf"(?:(?i:option|choice)\s*)?{_LETTER}"
_WHOLE = re.compile(r"[\s(\[{\"']*([A-Za-z])[\s)\]}\"'.,:;!]*")
_HEAD = re.compile(rf"^[ \t]*(?:[-\u2022>#][ \t]*)?(?i:(?:the\s+)?(?:option|choice|answer)\s+)?{_LETTER}", re.MULTILINE)
_LEAD = re.compile(
    r"(?i:\b(?:answer|ans|option|choice)(?:\s+to\s+(?:the|this)\s+question)?[\"']?\s*"
    r"(?:(?:is|must be|should be|would be)\s*:?|[:=])\s*(?:(?:most likely|likely|probably|clearly|therefore)\s+)?"
    r"|\b(?:I|we)(?:'d|'ll| would| will)?\s+(?:choose|pick|select|go (?:with|for))\s+"
    r"|\bit(?:'s| is)\s+|\\boxed\{|<answer>)\s*"
)
_CLAIM = re.compile(_NAMED)
_SUBJECT = re.compile(
    r"(?:^|[.!?:;,\n]\s*|(?i:\b(?:option|choice|answer|so|therefore|thus|hence)\s+))"
    r"(?:[(\[\"']\s*([A-Za-z])\s*[)\]\"']|([A-Z]))\s+(?i:is\s+(?:the\s+)?(?:answer|"
    r"(?:most\s+)?(?:correct|right|best|accurate|appropriate)(?:\s+(?:answer|option|choice))?))(?=\s*(?:[.,;!\n]|$)|\s+because\b)"
)
_JOINED = re.compile(rf"\s*(?:[,/&+:;.)\-]+|(?=\s)),?\s*(?:(?i:or|and)\s+)?{_NAMED}")
_MARKED = re.compile(r"(?<!\w)(?<!not )(?:\(([A-Z])\)|([A-Z])[).:](?=\s+\S))")
_MAY_BE_A = re.compile(r"\W*(?:A\b|a[^\w\s])")
_HEDGED = re.compile(
    r"(?i:(?:\bnot|n't|\bnever|\bcannot)\s+(?:think|believe|say|sure|certain|clear|determine|tell)\b[^.!?,;\n]*"
    r"|\b(?:if|whether|unless)\b[^.!?,;\n]*)$"
)
_REACH = 300
"""Characters around a claim that are looked at, so that long replies take no longer than they are long."""

_PLAIN = str.maketrans("\u2018\u2019\u201c\u201d\u3002", "''\"\".")
_MARKUP = re.compile(r"[*`$]|__|\\[()\[\]]|\\(?:text|textbf|mathrm|mathbf)(?=\{)")


class Choice(NamedTuple):
    """What a reply was read as.

    Attributes:
        letter: The option's letter; None: unparsable.
        rule: The rule that decided; empty if none found anything.
    """

    letter: str | None
    rule: str


def parse_choice(reply: str, options: Sequence[str]) -> Choice:
    """Read a reply by the rules.

    Args:
        reply: As the model gave it.
        options: The texts of the options, in the order in which they were shown (A first).
    """
    letters = set(LETTERS[: len(options)])
    text = _clean(reply)
    for name, claims_of in _RULES:
        claims = claims_of(text, options)
        if claims:
            return Choice(claims.pop() if len(claims) == 1 and claims <= letters else None, name)
    return Choice(None, "")


def _clean(reply: str) -> str:
    """Without reasoning between think tags, markup, and letters that only look different; empty if it never ended."""
    text = unicodedata.normalize("NFKC", reply).translate(_PLAIN)
    if "</think>" in text:
        text = text.rpartition("</think>")[2]
    elif "<think>" in text:
        return ""
    return _MARKUP.sub("", text).strip()


def _whole(text: str, options: Sequence[str]) -> set[str]:
    """Rule 1: the reply is a letter."""
    found = _WHOLE.fullmatch(text)
    return {found[1].upper()} if found else set()


def _option(text: str, options: Sequence[str]) -> set[str]:
    """Rule 2: the reply is the text of an option, perhaps with its letter in brackets behind it."""
    body, _, behind = text.rpartition("(")
    named = _WHOLE.fullmatch(behind) if body and behind.rstrip(" .").endswith(")") else None
    if named and (same := _same(body, options)):
        return {named[1].upper()} if named[1].upper() in same else {named[1].upper(), *same}
    return _same(text, options)


def _statement(text: str, options: Sequence[str]) -> set[str]:
    """Rule 3: 'the answer is B', 'Answer: opening the door', 'I choose B', 'B is correct'; and a letter that opens."""
    claims: set[str] = set()
    for lead in _LEAD.finditer(text):
        if _HEDGED.search(text, max(0, lead.start() - _REACH), lead.start()):
            continue
        claim, rest = _CLAIM.match(text, lead.end()), text[lead.end() : lead.end() + _REACH]
        claims |= _claimed(text, claim, options) if claim else _said(rest, options) or _labelled(rest, options)
    for claim in _SUBJECT.finditer(text):
        if not _HEDGED.search(text, max(0, claim.start() - _REACH), claim.start()):
            claims |= _claimed(text, claim, options)
    opening = _heading(text, options)
    return claims | opening if claims and len(opening) == 1 else claims


def _heading(text: str, options: Sequence[str]) -> set[str]:
    """Rule 4: a letter opens the reply ('B. opening the door'), or is its last line; other lines open with no other."""
    heads, last = list(_HEAD.finditer(text)), text.rfind("\n") + 1
    if heads and heads[0].start() > 0 and not (heads[-1].start() == last and _WHOLE.fullmatch(text, last)):
        heads = []
    return set().union(*(_claimed(text, head, options) for head in heads))


def _labelled(text: str, options: Sequence[str]) -> set[str]:
    """Rule 5: a letter and the text of its option, with nothing between them."""
    letter, _, rest = text.strip().partition("\n")[0].partition(" ")
    return {letter} if re.fullmatch("[A-Z]", letter) and letter in _same(rest, options) else set()


def _yes_no(text: str, options: Sequence[str]) -> set[str]:
    """Rule 6: where the options are yes and no, the one that opens the reply ('Yes, he runs')."""
    opening = re.match(r"\W*(yes|no)\b", text.lower())
    return _same(opening[1], options) if opening and {_plain(option) for option in options} == {"yes", "no"} else set()


_RULES: tuple[tuple[str, Callable[[str, Sequence[str]], set[str]]], ...] = (
    ("letter", _whole),
    ("option", _option),
    ("statement", _statement),
    ("heading", _heading),
    ("labelled", _labelled),
    ("yes_no", _yes_no),
)

RULES = tuple(name for name, _ in _RULES)
"""Names of the rules, in their order."""


def _claimed(text: str, claim: re.Match[str], options: Sequence[str]) -> set[str]:
    """The letter of a claim, and what contradicts it behind it: another letter, or the text of another option."""
    letter = _letter(claim)
    rest = text[claim.end() : claim.end() + _REACH]
    said = _said(rest, options)
    if letter in said:
        return {letter}
    joined = _JOINED.match(rest.partition("\n")[0])
    named = {_letter(joined)} if joined else set()
    listed = {_letter(mark) for mark in _MARKED.finditer(rest.partition("\n")[0])}
    return {letter} | said | named | (listed & set(LETTERS[: len(options)]))


def _letter(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group).upper()


def _said(text: str, options: Sequence[str]) -> set[str]:
    """The options whose text the first line, or the first sentence of it, is."""
    line = text.strip(" \t,:;.-()[]{}\n\u2013\u2014").partition("\n")[0]
    return _same(line, options) or _same(re.split(r"[.;!]\s|\s*[<}]", line)[0], options)


def _same(text: str, options: Sequence[str]) -> set[str]:
    """The letters of the options that have this text: as it is written, else in any case, else without articles.

    What is taken for an article there may have been the letter A, which is then among what the reply claims.
    """
    if not _plain(text):
        return set()
    for form in (str.strip, _plain, normalise_answer):
        same = {letter for letter, option in zip(LETTERS, options, strict=False) if form(option) == form(text)}
        if same:
            return same | {"A"} if form is normalise_answer and _MAY_BE_A.match(text) else same
    return set()


def _plain(text: str) -> str:
    """Lower case, the words alone."""
    return " ".join(re.findall(r"\w+", text.lower()))
