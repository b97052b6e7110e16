# ELVA-7B, tested with FastV instead of its own merger: half of the visual rows go before layer 2, as the question says.
# Hardware: 1 x 80 GB. Nothing is trained: FastV takes the checkpoint of stage 3 as it is.
# Command: python tools/test.py configs/reduction/elva_7b_fastv.py work_dirs/elva_7b_stage3/iter_6600.pth
# Expected: not measured by us. The published share of operations, 0.5244, is for 576 visual rows in 32 layers.
_base_ = "../elva_7b_stage3.py"
model = dict(merger=dict(_delete_=True, type="FastV", layer=2, ratio=0.5))
