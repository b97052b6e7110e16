"""Mergers: what shortens the sequence inside the language model."""

from .base import Merger, Site, When
from .cache_selector import CacheSelector
from .dycoke_cache import DyCokeCache
from .fast_v import FastV
from .frame_fusion import FrameFusion
from .hierarchical_temporal import HierarchicalTemporalMerger
from .holitom_inner import HoliTomInner
from .mixture_of_depths import MixtureOfDepths
from .no_merge import NoMerge
from .pyramid_drop import PyramidDrop
from .random_drop import RandomDrop
from .tome import ToMe

__all__ = [
    "CacheSelector",
    "DyCokeCache",
    "FastV",
    "FrameFusion",
    "HierarchicalTemporalMerger",
    "HoliTomInner",
    "Merger",
    "MixtureOfDepths",
    "NoMerge",
    "PyramidDrop",
    "RandomDrop",
    "Site",
    "ToMe",
    "When",
]
