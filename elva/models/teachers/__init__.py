"""Teachers: frozen models of single frames whose features guide the student."""

from .base import Teacher
from .hog_teacher import HOGTeacher

__all__ = ["HOGTeacher", "Teacher"]
