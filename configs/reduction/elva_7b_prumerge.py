# ELVA-7B, tested with PruMerge+ instead of its own merger: of each frame the patches whose attention stands out,
# others at even steps, and one token for the rest. FRAME and LINE tokens stay. plus=False is PruMerge, which keeps
# far fewer.
# Hardware: 1 x 80 GB. Nothing is trained: PruMerge takes the checkpoint of stage 3 as it is.
# Command: python tools/test.py configs/reduction/elva_7b_prumerge.py work_dirs/elva_7b_stage3/iter_6600.pth
# Expected: not measured by us. The number of tokens depends on the video.
_base_ = "../elva_7b_stage3.py"
model = dict(
    reducers=[dict(type="PruMerge", plus=True)],
    merger=dict(_delete_=True, type="NoMerge"),
)
custom_hooks = []  # no merge ratio to draw
