"""Language models, what goes into them and what comes out."""

from .assemble import Assembly, Placement, assemble
from .base import DecoderLLM
from .cache import KVCache
from .choose import Choices
from .generation import Sampling, generate
from .hf_decoder import HFDecoder
from .trace import Trace

__all__ = [
    "Assembly",
    "Choices",
    "DecoderLLM",
    "HFDecoder",
    "KVCache",
    "Placement",
    "Sampling",
    "Trace",
    "assemble",
    "generate",
]
