# ELVA-tiny with the video guidance supervisor; its teacher is made of gradient histograms and needs no weights.
_base_ = "elva_tiny.py"
model = dict(
    teacher=dict(type="HOGTeacher", image_size=48, cell=12, colour=True),
    supervisors=[dict(type="TubeAlignment", weight=1.0), dict(type="FrameContrast", weight=0.1)],
)
