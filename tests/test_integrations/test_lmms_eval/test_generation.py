import pytest

from elva.integrations.lmms_eval.generation import cut, sampling_keys, stops


@pytest.mark.parametrize(
    ("task", "keys"),
    [
        ({}, {}),
        ({"until": ["\n\n"], "do_sample": False}, {"temperature": 0.0}),
        (
            {"max_new_tokens": 16, "temperature": 0, "top_p": 0, "num_beams": 1},
            {"max_new_tokens": 16, "temperature": 0},
        ),
        ({"temperature": 0.7, "do_sample": False, "top_p": 0.9}, {"temperature": 0.0}),
        ({"temperature": 0.7, "top_p": 0.9, "seed": 3}, {"temperature": 0.7, "top_p": 0.9, "seed": 3}),
        ({"do_sample": True}, {"temperature": 1.0}),
        ({"temperature": None, "top_p": None, "num_beams": None, "max_gen_toks": 8}, {"max_new_tokens": 8}),
        ({"max_gen_toks": 8, "max_new_tokens": 16}, {"max_new_tokens": 16}),
    ],
)
def test_a_tasks_generation_kwargs(task, keys):
    assert sampling_keys(task) == keys


def test_a_beam_search_is_refused():
    with pytest.raises(ValueError, match="num_beams=4: ELVA has no beam search"):
        sampling_keys({"num_beams": 4})


def test_an_answer_ends_at_the_first_of_its_stops():
    assert cut("one. two\n\nthree", ["\n\n", "."]) == "one"
    assert cut("one. two", ["\n\n"]) == cut("one. two", []) == "one. two"


def test_stops_are_a_text_or_a_list():
    assert stops({}) == stops({"until": None}) == []
    assert stops({"until": "\n"}) == ["\n"]
    assert stops({"until": ["\n", ""]}) == ["\n"]
    with pytest.raises(ValueError, match="until=3: expected a text or a list"):
        stops({"until": 3})
