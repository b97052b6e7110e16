"""Mergers: what shortens the sequence inside the language model."""

from .base import Merger, Site, When
from .hierarchical_temporal import HierarchicalTemporalMerger
from .no_merge import NoMerge
from .tome import ToMe

__all__ = ["HierarchicalTemporalMerger", "Merger", "NoMerge", "Site", "ToMe", "When"]
