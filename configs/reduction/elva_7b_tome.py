# ELVA-7B, stage 3, with Token Merging instead of its own merger: half of the rows join the most similar row that stands
# within about two frames, after the attention of layer 2 and again of 6. The ratio is drawn, as for ELVA's own merger.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/reduction/elva_7b_tome.py 8
# Expected: not trained by us.
_base_ = "../elva_7b_stage3.py"
model = dict(merger=dict(_delete_=True, type="ToMe", layers=(2, 6), ratio=0.5, window=288))
