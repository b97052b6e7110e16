# ELVA-7B, stage 3 with PyramidDrop: a half, a quarter, an eighth of the visual rows from the quarters of the depth on.
# The ratio stays the published one throughout, so the hook that draws ratios is taken out.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/reduction/elva_7b_pyramiddrop.py 8
# Expected: not trained by us; its authors report 40 % less training time on LLaVA-NeXT.
_base_ = "../elva_7b_stage3.py"
model = dict(merger=dict(_delete_=True, type="PyramidDrop", layers=(7, 14, 21), ratio=0.5))
custom_hooks = []
