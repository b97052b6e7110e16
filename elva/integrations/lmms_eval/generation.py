"""What lmms-eval's ``generation_kwargs`` mean for :class:`elva.models.llms.Sampling`."""

from collections.abc import Mapping, Sequence
from typing import Any

UNDERSTOOD = {"do_sample", "max_gen_toks", "max_new_tokens", "num_beams", "seed", "temperature", "top_p", "until"}


def sampling_keys(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of ``Sampling`` that a task's ``generation_kwargs`` set; those that are null are not set.

    A task samples if its ``temperature`` is above 0 and ``do_sample`` is not false; ``do_sample`` alone means a
    temperature of 1, as it does to transformers. ``top_p`` is of no account to a task that does not sample.

    Raises:
        ValueError: If the task wants a beam search.
    """
    given = {key: value for key, value in task.items() if value is not None}
    if given.get("num_beams", 1) != 1:
        raise ValueError(
            f"num_beams={given['num_beams']}: ELVA has no beam search; --gen_kwargs num_beams=1 turns it off"
        )
    keys: dict[str, Any] = {}
    for key in ("max_gen_toks", "max_new_tokens"):  # two names of one thing; the second is the usual one
        if key in given:
            keys["max_new_tokens"] = int(given[key])
    if "temperature" in given or "do_sample" in given:
        wanted = given.get("do_sample", True)
        keys["temperature"] = float(given.get("temperature", 1.0)) if wanted else 0.0
        if "top_p" in given and keys["temperature"] > 0:
            keys["top_p"] = float(given["top_p"])
    if "seed" in given:
        keys["seed"] = int(given["seed"])
    return keys


def stops(task: Mapping[str, Any]) -> list[str]:
    """The texts that end an answer (``until``); an empty one does not.

    Raises:
        ValueError: If ``until`` is neither a text nor a list of texts.
    """
    until = task.get("until") or []
    listed: Sequence[Any] = [until] if isinstance(until, str) else until
    if not isinstance(listed, Sequence) or not all(isinstance(text, str) for text in listed):
        raise ValueError(f"until={until!r}: expected a text or a list of texts")
    return [text for text in listed if text]


def cut(answer: str, until: Sequence[str]) -> str:
    """``answer`` up to the first of the texts in ``until``."""
    return answer[: min((at for text in until if (at := answer.find(text)) >= 0), default=len(answer))]
