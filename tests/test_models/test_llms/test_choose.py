import pytest
import torch

from elva.models.llms import Choices, Sampling, generate
from elva.structures import VideoQASample
from elva.testing import make_prompt, tiny_decoder


class Letters:
    """A tokenizer of single letters; '?' is unknown to it, 'Æ' takes two."""

    unk_token_id = 0

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        assert not add_special_tokens
        return {"?": [0], "Æ": [3, 4]}.get(text) or [ord(letter) for letter in text]


class Scores:
    """A language model that gives the letters these scores, one a sample."""

    def __init__(self, scores: dict[str, list[float]]) -> None:
        self.scores = scores

    def logits_of(self, h: torch.Tensor, ids: list[int]) -> torch.Tensor:
        return torch.tensor([self.scores[chr(token)] for token in ids]).T


def sample(*choices: str) -> VideoQASample:
    return VideoQASample("q1", choices=choices)


def test_the_likeliest_of_the_choices_is_the_answer():
    samples = [sample("A", "B", "C"), sample(), sample("B", "A")]
    choices = Choices(Letters(), samples)
    scores = {"A": [0.0, 9.0, -2.0], "B": [0.0, 9.0, -3.0], "C": [1.5, 9.0, 100.0]}
    assert choices.take(Scores(scores), torch.zeros(3, 1)).tolist() == [False, True, False]
    choices.write()
    assert [s.prediction for s in samples] == ["C", None, "A"]
    assert samples[0].stats == {"option_logits": {"A": 0.0, "B": 0.0, "C": 1.5}}
    assert samples[1].stats == {}
    assert samples[2].stats == {"option_logits": {"B": -3.0, "A": -2.0}}


def test_a_tie_takes_the_first():
    tied = sample("B", "A", "C")
    choices = Choices(Letters(), [tied])
    choices.take(Scores({letter: [0.5] for letter in "ABC"}), torch.zeros(1, 1))
    choices.write()
    assert tied.prediction == "B"


def test_samples_without_choices_are_left_to_generation():
    llm = tiny_decoder()
    state = make_prompt(llm, ((7,), (2,))).state
    choices = Choices(Letters(), [sample(), sample()])
    assert not choices
    free = generate(llm, state, (), Sampling(max_new_tokens=3))
    assert generate(llm, state, (), Sampling(max_new_tokens=3), choices=choices) == free
    mixed = Choices(Letters(), [sample("A", "B"), sample()])
    assert mixed
    assert generate(llm, state, (), Sampling(max_new_tokens=3), choices=mixed) == [[], free[1]]


@pytest.mark.parametrize(("letters", "message"), [("A?", "option '\\?' is no token"), ("AÆ", "'Æ' is no token of its")])
def test_what_is_no_token_is_refused(letters, message):
    with pytest.raises(ValueError, match=message):
        Choices(Letters(), [sample(*letters)])


def test_choices_must_differ():
    with pytest.raises(ValueError, match="sample 'q1'.*apart"):
        Choices(Letters(), [sample("A", "A")])


def test_scores_of_single_tokens_are_those_of_all_in_full_precision():
    llm = tiny_decoder()
    h = torch.randn(2, 32, generator=torch.Generator().manual_seed(0))
    whole = llm.logits(h)[:, [5, 3]]
    torch.testing.assert_close(llm.logits_of(h, [5, 3]), whole)
    with torch.autocast("cpu", torch.bfloat16):
        assert llm.logits(h).dtype == torch.bfloat16
        torch.testing.assert_close(llm.logits_of(h, [5, 3]), whole)
