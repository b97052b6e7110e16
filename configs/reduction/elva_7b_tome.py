# ELVA-7B, stage 3, with Token Merging instead of its own merger: rows join the most similar row within about two frames,
# wherever it stands, half of them after the attention of layers 2 and 6 each. The hook draws the ratio, as for ELVA's.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/reduction/elva_7b_tome.py 8
# Expected: not trained by us.
_base_ = "../elva_7b_stage3.py"
model = dict(merger=dict(_delete_=True, type="ToMe", layers=(2, 6), ratio=0.5, window=288))
