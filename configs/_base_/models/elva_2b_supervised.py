# ELVA-2B with the video guidance supervisor, for the warm-up and stages 1 and 2.
_base_ = ["elva_2b.py", "siglip_teacher.py"]
model = dict(teacher=_base_.teacher, supervisors=_base_.supervisors)
