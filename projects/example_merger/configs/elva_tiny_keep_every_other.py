# What: stage 3 of the tiny recipe with the merger of this project in place of ELVA's own.
# On:   a CPU; the checkpoint of stage 2 must be there (`make demo` trains it).
# Run:  PYTHONPATH=. python tools/train.py projects/example_merger/configs/elva_tiny_keep_every_other.py
# Then: half of the patches that enter the middle layer leave it; compare its accuracy with elva_tiny_stage3's.
_base_ = ["../../../configs/elva_tiny_stage3.py"]

custom_imports = dict(imports=["projects.example_merger.keep_every_other"], allow_failed_imports=False)

model = dict(merger=dict(_delete_=True, type="KeepEveryOther"))
