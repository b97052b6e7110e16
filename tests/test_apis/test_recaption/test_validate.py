import pytest

from elva.apis.recaption import Rules
from elva.apis.recaption.language import FUNCTION_WORDS, LANGUAGES, is_written_in, words_of
from elva.apis.recaption.validate import repetition

TEXTS = {
    "en": "A man in a red shirt opens the door and walks into the kitchen, while a dog sleeps on the floor.",
    "de": "Ein Mann im roten Hemd öffnet die Tür und geht in die Küche, während ein Hund auf dem Boden schläft.",
    "fr": "Un homme en chemise rouge ouvre la porte et entre dans la cuisine, un chien dort sur le sol avec une balle.",
    "es": "Un hombre con camisa roja abre la puerta y entra en la cocina mientras el perro duerme en el suelo.",
    "it": "Un uomo con la camicia rossa apre la porta ed entra nella cucina, mentre il cane dorme sul pavimento.",
    "pt": "Um homem de camisa vermelha abre a porta e entra na cozinha, enquanto os cães dormem no chão da sala.",
    "zh": "一个穿红色衬衫的男人打开门,走进厨房,一只狗在地板上睡觉。",
    "ja": "赤いシャツを着た男性がドアを開けてキッチンに入り、犬が床で寝ています。",
    "ko": "빨간 셔츠를 입은 남자가 문을 열고 부엌으로 들어가고 개가 바닥에서 자고 있다.",
    "ru": "Мужчина в красной рубашке открывает дверь и входит на кухню, где собака спит на полу.",
    "ar": "رجل يرتدي قميصا أحمر يفتح الباب ويدخل المطبخ بينما ينام كلب على الأرض",
    "hi": "लाल शर्ट पहने एक आदमी दरवाज़ा खोलता है और रसोई में जाता है",
}


@pytest.mark.parametrize("asked", LANGUAGES)
def test_each_language_is_told_from_all_others(asked):
    passed = {language for language, text in TEXTS.items() if is_written_in(asked, text)}
    assert passed == {asked}


def test_no_function_word_is_in_two_lists():
    words = [word for known in FUNCTION_WORDS.values() for word in known]
    assert len(words) == len(set(words))


def test_signs_and_names_in_other_scripts_do_not_matter():
    assert is_written_in("en", "A shop with the sign 拉面 is on the left, and people wait at its door.")
    assert not is_written_in("en", "123 ... 45")


def test_words_are_counted_in_every_script():
    assert words_of("The dog's ball -- it's 2.5 m wide!") == ["the", "dog's", "ball", "it's", "2.5", "m", "wide"]
    assert words_of("一只狗 runs") == ["一", "只", "狗", "runs"]


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, I can't assist with that request at all.",
        "I cannot view videos, but I can help in other ways.",
        "I can't see any video here, please send the file again.",
        "Sorry, the content cannot be described by this model.",
        "As an AI language model, I have no access to videos.",
        "Unfortunately the video is not accessible to me at this time.",
        "There is no video provided, so nothing can be described here.",
        "Please provide the video so that I can describe it for you.",
        "**I am unable to help with identifying people in this video.**",
    ],
)
def test_refusals(text):
    reason, found = Rules().fault(text)
    assert reason == "refusal" and found == text[:80]


@pytest.mark.parametrize(
    "text",
    [
        "A woman says that she is sorry and that she cannot open the jar.",
        "There is no person in the room, only the table and the chairs that are at the window.",
        "I can see the river and the two boats that are on it.",
        "The sign reads 'Sorry, we are closed', and the man at the door turns away.",
        TEXTS["en"],
    ],
)
def test_captions_that_only_sound_like_refusals_are_kept(text):
    assert Rules().fault(text) is None


def test_limits_of_length():
    rules = Rules(min_words=3, max_words=5)
    assert rules.fault("the red ball") is None and rules.fault("the ball is on the table") is not None
    assert rules.fault("the ball") == ("length", "2 words, expected 3 to 5")
    assert rules.fault("... !") == ("empty", "the reply has no word in it")


def test_repetition_is_the_share_of_sequences_that_came_before():
    once = [str(number) for number in range(20)]
    assert repetition(once) == 0 and repetition(["a"] * 19) == 0
    assert repetition(once * 2) == pytest.approx(1 - 20 / 37)  # 17 sequences within, 3 over the seam, 17 again
    assert Rules(language="any").fault(" ".join(once * 3))[0] == "repetition"


@pytest.mark.parametrize("made", [dict(language="xx"), dict(min_words=0), dict(min_words=9, max_words=8)])
def test_rules_that_make_no_sense(made):
    with pytest.raises(ValueError, match=r"language 'xx'|words must be"):
        Rules(**made)
