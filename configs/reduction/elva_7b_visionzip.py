# ELVA-7B, tested with VisionZip instead of its own merger: of each frame the 53 most attended patches, and 10 tokens
# that sum the others up. FRAME and LINE tokens stay.
# Hardware: 1 x 80 GB. Nothing is trained: VisionZip takes the checkpoint of stage 3 as it is.
# Command: python tools/test.py configs/reduction/elva_7b_visionzip.py work_dirs/elva_7b_stage3/iter_6600.pth
# Expected: not measured by us. The paper keeps as many of the 576 tokens of an image; here a small frame has 144.
_base_ = "../elva_7b_stage3.py"
model = dict(
    reducers=[dict(type="VisionZip", dominant=53, contextual=10)],
    merger=dict(_delete_=True, type="NoMerge"),
)
custom_hooks = []  # no merge ratio to draw
