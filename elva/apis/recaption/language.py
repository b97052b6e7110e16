"""A plain check of a text's language: by its script, and by function words among languages that share the Latin one.

It tells a caption in the wrong language from one in the right language, not languages in general: no model, no
dependency, the same answer everywhere.
"""

import unicodedata
from functools import lru_cache

_CJK = ("CJK",)
_LATIN = ("LATIN",)

LANGUAGES: dict[str, tuple[str, ...]] = {
    "en": _LATIN,
    "de": _LATIN,
    "fr": _LATIN,
    "es": _LATIN,
    "it": _LATIN,
    "pt": _LATIN,
    "zh": _CJK,
    "ja": (*_CJK, "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"),
    "ko": ("HANGUL",),
    "ru": ("CYRILLIC",),
    "ar": ("ARABIC",),
    "hi": ("DEVANAGARI",),
}
"""Languages that can be asked for, and the scripts (first words of Unicode names) that each is written in."""

_WORDS = {
    "en": "the and of is are with to it its this that there at by from while then another who which",
    "de": "der die das und ist ein eine einem einen mit auf dem den im zu von sich nicht wird werden",
    "fr": "le les et est une dans du des au aux avec qui elle pour pas ce cette sont puis deux",
    "es": "el los las y es en sobre hay muestra mientras sus se está lo este esta luego",
    "it": "gli di che è nel nella della dello dei sul sulla mentre sono questo poi viene due",
    "pt": "os um uma em na da ao à são não enquanto pelo pela depois isso seu sua mais",
}

FUNCTION_WORDS: dict[str, frozenset[str]] = {language: frozenset(words.split()) for language, words in _WORDS.items()}
"""Words that stand in nearly every sentence of one language and in few of the others; no word is in two lists."""

_SHARE = 0.7
"""The least share of letters in the right scripts: names and quoted signs may be in others."""


@lru_cache(maxsize=8192)
def script_of(letter: str) -> str:
    """The first word of a character's Unicode name (``'LATIN'``, ``'CJK'``); empty if it is no letter."""
    return unicodedata.name(letter, "").split(" ")[0] if letter.isalpha() else ""


def words_of(text: str) -> list[str]:
    """The words of a text in lower case; each Chinese or Japanese character is a word of its own."""
    spaced = "".join(f" {c} " if script_of(c) in LANGUAGES["ja"] else c for c in text.lower())
    stripped = (word.strip("".join({c for c in word if not c.isalnum()})) for word in spaced.split())
    return [word for word in stripped if word]


def is_written_in(language: str, text: str) -> bool:
    """Whether ``text`` passes for ``language``.

    At least 70 % of its letters are in the language's scripts (Japanese: with kana among them, Chinese: without many).
    For the languages in Latin script, no other of them has more function words in the text.

    Args:
        language: A key of ``LANGUAGES``.
        text: Any text.
    """
    scripts = [script for c in text if (script := script_of(c))]
    if not scripts or sum(script in LANGUAGES[language] for script in scripts) < _SHARE * len(scripts):
        return False
    if language == "ja":
        return any(script in ("HIRAGANA", "KATAKANA") for script in scripts)
    if language not in FUNCTION_WORDS:
        return True
    words = words_of(text)
    counts = {name: sum(word in known for word in words) for name, known in FUNCTION_WORDS.items()}
    return counts[language] == max(counts.values())
