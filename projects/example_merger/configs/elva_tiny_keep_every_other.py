# Stage 3 of ELVA-tiny with the merger of this project: from the middle layer on, every other patch is gone.
# Hardware: 2 CPU cores, after `make demo`, which renders the clips and trains stages 1 and 2.
# Command: python tools/train.py projects/example_merger/configs/elva_tiny_keep_every_other.py
_base_ = ["../../../configs/elva_tiny_stage3.py"]
custom_imports = dict(imports=["projects.example_merger.keep_every_other"], allow_failed_imports=False)
work_dir = "work_dirs/example_merger"

model = dict(merger=dict(_delete_=True, type="KeepEveryOther"))
custom_hooks = []  # without the hook that draws a merge ratio: this merger has none
