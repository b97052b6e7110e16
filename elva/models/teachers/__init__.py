"""Teachers: frozen models of single frames whose features guide the student."""

from .base import Teacher
from .feature_cache import FeatureCache, cached_features, feature_key
from .frames import resize_frames, teacher_frames
from .hf_vision_teacher import HFVisionTeacher
from .hog_teacher import HOGTeacher

__all__ = [
    "FeatureCache",
    "HFVisionTeacher",
    "HOGTeacher",
    "Teacher",
    "cached_features",
    "feature_key",
    "resize_frames",
    "teacher_frames",
]
