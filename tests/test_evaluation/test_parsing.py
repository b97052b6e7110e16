import random
import string
import time

import pytest

from elva.evaluation.parsing import parse_choice

OPTIONS = ("opening the door", "closing the door", "a man is running", "He waves to Option 5.")

REPLIES = {
    # 1 letter
    "B": "B",
    "b": "B",
    " B\n": "B",
    "B.": "B",
    "(B)": "B",
    "(b)": "B",
    "[C]": "C",
    "b)": "B",
    "'A'": "A",
    "**D**": "D",
    "D:": "D",
    "a": "A",
    "a.": "A",
    "`A`": "A",
    "{B}": "B",
    "\uff22": "B",
    "\uff08\uff22\uff09": "B",
    "\u201cB\u201d": "B",
    "E": None,
    "(F)": None,
    "z": None,
    # 2 option
    "opening the door": "A",
    "Closing the door.": "B",
    "A man is running": "C",
    "a man is running.": "C",
    "Man is running": "C",
    "He waves to option 5": "D",
    "closing the door (B)": "B",
    "Closing the door (B).": "B",
    "closing the door (A)": None,
    # 3 statement
    "Answer: B": "B",
    "ANSWER: B": "B",
    "Answer:B": "B",
    "Ans: (b)": "B",
    "answer = C": "C",
    "The answer is B": "B",
    "The answer is (B).": "B",
    "The answer is B because he opens it.": "B",
    "The answer is A because he opens it.": "A",
    "The answer is **B. closing the door**": "B",
    "The correct answer is: B) closing the door": "B",
    "The correct option is D.": "D",
    "The answer is\n\nC": "C",
    "The answer is option C.": "C",
    "The answer to this question is 'B'.": "B",
    "Best Option: (B) closing the door": "B",
    "Final answer: \\boxed{B}": "B",
    "$\\boxed{\\text{C}}$": "C",
    "<answer>B</answer>": "B",
    "<answer> closing the door </answer>": "B",
    "<think>It could be A. The answer is A.</think>\nThe answer is B.": "B",
    "<think>Option A is wrong. The answer is": None,
    "<think>Is it C?</think>The answer is A.<think>No.</think>The answer is B.": "B",
    "The answer is closing the door.": "B",
    "The answer is: a man is running.": "C",
    "Answer: opening the door": "A",
    "I would choose B.": "B",
    "I'd go with option C, since he moves quickly.": "C",
    "It's B.": "B",
    "B is the correct answer.": "B",
    "Option B is the answer.": "B",
    '{"answer": "B"}': "B",
    '{"answer": "b", "reason": "It shuts."}': "B",
    "The answer is B (closing the door).": "B",
    "The answer is B (opening the door).": None,
    "Answer: (B) or (C)": None,
    "The answer is B, since A is wrong.": "B",
    "I'm not sure, but the answer is B.": "B",
    "The final answer is $\\boxed{B}$.": "B",
    "(A) opening the door (B) closing the door Answer: (B) closing the door": "B",
    "B is correct, not C.": "B",
    "Vitamin C is correct.": None,
    "Option C is correct because he moves.": "C",
    "So (D) is the best choice.": "D",
    "The man did not open the door, so the answer is B.": "B",
    "I don't think the answer is B. The answer is C.": "C",
    "First he walks. Then the door closes.\nTherefore, the answer is (B).": "B",
    "A) shows a door.\nB) shows another.\nC) shows a man.\nThe answer is C.": "C",
    "Option A shows a man who runs. Option B shows a door. The answer is B.": "B",
    "The answer is B. I repeat: the answer is (B).": "B",
    "The answer is A. No, wait: the answer is B.": None,
    "The answer is B or C.": None,
    "The answer is A and B": None,
    "The answer is B/C": None,
    "The answer is A man in red.": None,
    "The answer is a": None,
    "The answer is a man": None,
    "The answer is not B.": None,
    "I don't think the answer is B.": None,
    "If the answer is B then he left.": None,
    "The answer is either B or C": None,
    "The answer is E.": None,
    "The answer is B. opening the door": None,
    "Answer: A closing the door": None,
    "B. closing the door\nThe answer is C.": None,
    "Is the answer B?": None,
    "Answer: none of these": None,
    "Person A is the best.": None,
    # 4 heading
    "B. closing the door": "B",
    "B) closing the door": "B",
    "(B) closing the door": "B",
    "(b) closing the door": "B",
    "b) closing the door": "B",
    "B: closing the door": "B",
    "B - closing the door": "B",
    "B, closing the door": "B",
    "B\n\nExplanation: the door closes in the end.": "B",
    "B because the door closes": "B",
    "B. The person shuts it.": "B",
    "B, not A man.": "B",
    "Option B": "B",
    "Option B: closing the door": "B",
    "Choice (C)": "C",
    "Answer B.": "B",
    "- B. closing the door": "B",
    "The door is shut in the end.\n\nB": "B",
    "B\nB\nB": "B",
    "B\u3002": "B",
    "B</s>": "B",
    "B (closing the door)": "B",
    "He walks.\nA. opening the door\nb": None,
    "He walks.\nA. opening the door": None,
    "The door is shut.\n(b)": "B",
    "B, not A.": "B",
    "A. He speaks to J. Smith": "A",
    "A. opening the door\nB. closing the door": None,
    "A) one B) two C) three": None,
    "A, B": None,
    "A or B": None,
    "Both A and B": None,
    "A/B": None,
    "ABCD": None,
    "B. opening the door": None,
    "(A) a man is running": None,
    "E. none of the above": None,
    "F) unknown": None,
    "A: B": None,
    # 5 labelled
    "B closing the door": "B",
    "A opening the door": "A",
    "B opening the door": None,
    # nothing
    "": None,
    "   ": None,
    "?": None,
    "A man is standing in a room.": None,
    "A man opens a door and a dog enters.": None,
    "I think he runs.": None,
    "a dog": None,
    "A-shaped ladder": None,
    "B-roll of a city": None,
    "A.J. Smith enters": None,
    "Vitamin B is shown": None,
    "The video shows a door.": None,
    "Door": None,
    "opening the door and closing the door": None,
    "I cannot tell.": None,
    "Sorry, the video does not show option": None,
    "D'Artagnan enters": None,
    "Plan B was chosen by the man": None,
    "1": None,
}


@pytest.mark.parametrize(("reply", "letter"), REPLIES.items())
def test_replies(reply: str, letter: str | None) -> None:
    assert parse_choice(reply, OPTIONS).letter == letter


@pytest.mark.parametrize(
    ("reply", "rule"),
    [
        ("B", "letter"),
        ("closing the door", "option"),
        ("The answer is B", "statement"),
        ("B. closing the door", "heading"),
        ("B closing the door", "labelled"),
        ("E", "letter"),
        ("A, B", "heading"),
        ("no idea", ""),
    ],
)
def test_the_rule_that_decided_is_named(reply: str, rule: str) -> None:
    assert parse_choice(reply, OPTIONS).rule == rule


FORMS = (
    "{}", "{}.", "({})", "{}) text", "{}. Some text", "{}: text", "{}, text", "{} - text", "{}\nbecause",
    "{} because he ran", "Option {}", "Option {}: text", "Answer: {}", "The answer is {}", "The answer is ({}).",
    "The answer is {} since he ran", "the answer is '{}'", "I choose {}.", "It's {}.", "\\boxed{{{}}}",
    "{} is correct.", "Text.\n\n{}", "<answer>{}</answer>",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_letter_is_read_alike(form: str) -> None:
    """A parser that reads one letter more often than another moves the score of whoever prefers it."""
    options = ("one thing", "another thing", "third thing", "some thing")
    assert [parse_choice(form.format(letter), options).letter for letter in "ABCDE"] == ["A", "B", "C", "D", None]


@pytest.mark.parametrize("form", [*FORMS[9:], "{} text", "so {} it"])
def test_a_small_letter_is_read_in_no_form_or_for_every_letter(form: str) -> None:
    options = ("one thing", "another thing", "third thing", "some thing")
    read = [parse_choice(form.format(letter), options).letter for letter in "abcd"]
    assert read in (["A", "B", "C", "D"], [None] * 4)


@pytest.mark.parametrize("seed", range(20))
def test_text_without_an_option_is_never_read_as_one(seed: int) -> None:
    draw = random.Random(seed)
    words = ["a", "A", "I", "the", "man", "door", "so", "runs", "and", "B-roll", "C++", "is", "it's", "not", "answer"]
    words += ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(2, 8))) for _ in range(30)]
    for _ in range(100):
        text = " ".join(draw.choices(words, k=draw.randint(2, 25))) + " thing"
        assert parse_choice(text, OPTIONS).letter is None, text


def test_options_that_read_alike_name_nothing() -> None:
    assert parse_choice("my door", ("My door", "my  door!")).letter is None
    assert parse_choice("the door", ("door", "the door")).letter == "B"


def test_an_article_that_may_be_the_letter_is_neither() -> None:
    options = ("a cat", "man is running", "The dog.")
    assert parse_choice("A man is running", options).letter is None
    assert parse_choice("(a) man is running", options).letter is None
    assert parse_choice("a man is running", options).letter == "B"
    assert parse_choice("The man is running", options).letter == "B"
    assert parse_choice("A cat", options).letter == "A"
    assert parse_choice("A dog", options).letter is None


def test_options_that_are_letters_are_shown_by_letter() -> None:
    assert parse_choice("B", ("C", "A", "B")).letter == "B"


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("Yes", "A"),
        ("no.", "B"),
        ("Yes, the man is dunking.", "A"),
        ("No - he is not.", "B"),
        ("**Yes**\nHe runs.", "A"),
        ("The answer is no.", "B"),
        ("B", "B"),
        ("Not sure", None),
        ("Nothing happens", None),
        ("He does, yes", None),
    ],
)
def test_of_yes_and_no_the_word_that_opens_the_reply(reply: str, letter: str | None) -> None:
    assert parse_choice(reply, ("yes", "no")).letter == letter


def test_other_options_are_not_read_as_yes_and_no() -> None:
    assert parse_choice("No, he runs.", ("yes", "no", "maybe")).letter is None
    assert parse_choice("Yes, he runs.", ("No.", "Yes.")) == ("B", "yes_no")


@pytest.mark.parametrize(
    "piece", ["the answer is ", "answer: B ", "I don't think the answer is ", "A. ", "\n", "((", "a " * 9]
)
def test_long_replies_take_no_longer_than_they_are_long(piece: str) -> None:
    begin = time.process_time()
    parse_choice(piece * (40_000 // len(piece)), OPTIONS)
    assert time.process_time() - begin < 4
