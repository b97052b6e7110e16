"""Does our loop decode as fast as transformers' own ``generate``?

Legend: B samples (one), T tokens of the prompt, N new tokens.
"""

from statistics import median
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from elva.models.llms import HFDecoder, Sampling, assemble, generate

from .result import Result
from .sequences import random_decoder
from .timing import interleaved, median_ratio


def decode(
    prompt: int = 500, new_tokens: int = 64, width: int = 512, depth: int = 12, sharing: int = 4, rounds: int = 7
) -> list[Result]:
    """Tokens a second of ``elva.models.llms.generate`` over those of ``transformers``: one sample, greedy, float32.

    Both get the same weights and the same text; the prefill is part of the time. Random weights never end an answer.

    Args:
        prompt: Tokens of the prompt.
        new_tokens: Tokens of the answer.
        width: Of the model.
        depth: Its layers.
        sharing: Heads that share keys and values.
        rounds: Turns of each.
    """
    llm = random_decoder(width, depth, sharing)
    model = own_model(llm)
    ids_BT = torch.randint(1000, (1, prompt), generator=torch.Generator().manual_seed(0))
    seconds = interleaved(
        {
            "elva": lambda: run_elva(llm, ids_BT, new_tokens),
            "transformers": lambda: run_transformers(model, ids_BT, new_tokens),
            "elva, first token": lambda: run_elva(llm, ids_BT, 1),
            "transformers, first token": lambda: run_transformers(model, ids_BT, 1),
        },
        rounds,
    )
    details = {f"tokens/s {name}": new_tokens / median(seconds[name]) for name in ("elva", "transformers")}
    details |= {f"ms {name}": 1000 * median(seconds[name]) for name in seconds if "first" in name}
    details["same tokens"] = float(run_elva(llm, ids_BT, new_tokens) == run_transformers(model, ids_BT, new_tokens))
    faster = median_ratio(seconds["transformers"], seconds["elva"])
    return [Result(f"decoding {new_tokens} tokens: speed over transformers'", faster, 1.0, True, details)]


def own_model(llm: HFDecoder) -> Any:
    """The same weights in transformers' own model, with its usual attention."""
    config = type(llm.model.config).from_dict(llm.model.config.to_dict())
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
    model.load_state_dict(llm.model.state_dict())
    return model


@torch.no_grad()
def run_elva(llm: HFDecoder, ids_BT: Tensor, new_tokens: int) -> list[int]:
    """Answer a prompt of text."""
    state = assemble(llm.embed, ids_BT, torch.ones_like(ids_BT, dtype=torch.bool), None, video_id=-1).state
    return generate(llm, state, (), Sampling(max_new_tokens=new_tokens))[0]


def run_transformers(model: Any, ids_BT: Tensor, new_tokens: int) -> list[int]:
    """The same with transformers' ``generate``."""
    mask_BT = torch.ones_like(ids_BT)
    whole_BN = model.generate(
        ids_BT,
        attention_mask=mask_BT,
        max_new_tokens=new_tokens,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    answer: list[int] = whole_BN[0, ids_BT.shape[1] :].tolist()
    return answer
