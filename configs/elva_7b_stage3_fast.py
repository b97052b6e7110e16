# ELVA-7B, stage 3 for answers at a twentieth of an encoder-based model's cost: at most 6.0 TFLOPs at 32 frames.
# Hardware: 8 x 80 GB. Command: bash tools/dist_train.sh configs/elva_7b_stage3_fast.py 8
# Expected: not trained by us; see elva_tiny_fast.py, the same schedule at a size that we can train.
#
# The arithmetic (python tools/analysis_tools/get_flops.py configs/elva_7b_stage3_fast.py --size 192x192):
# - LLaVA-OneVision-7B reads 32 frames for about 120 TFLOPs: SigLIP 21.5, Qwen2-7B 98.8. A twentieth is 6.0.
# - A full-size frame is 12 x 12 patches, 12 <LINE>, 1 <FRAME>: 157 rows. At half the side: 6 x 6 + 6 + 1 = 43.
#   8 full-size and 24 small frames: 8 x 157 + 24 x 43 = 2,288 rows; 32 full-size ones are 5,024.
# - Two steps of 70 % before layers 1 and 4 of 28. The second cannot merge as much: 32 <FRAME> rows stay, and one row
#   for each place of each size, 156 + 42. 1 x 2,288 + 3 x 687 + 24 x 230 = 9,869 rows over all layers; unmerged they
#   are 64,064. A row takes 0.466 GFLOPs a layer: 4.6 TFLOPs. Attention's scores and 64 words of text take 1.0 more.
_base_ = "elva_7b_stage3.py"
groups_of_four = dict(_base_.load_hybrid.resolution, group=4)  # one frame at full size, three at half the side
load_fast = dict(_base_.load_hybrid, resolution=groups_of_four)
# small frames must be seen in training
videos = dict(pipeline=[load_fast, _base_.conversation, dict(type="PackSample")])
model = dict(merger=dict(layers=(1, 4), ratio=0.7))
train_dataloader = dict(dataset=dict(datasets=dict(videos=dict(dataset=videos))))
test_dataloader = dict(dataset=dict(pipeline=[load_fast, _base_.question, dict(type="PackSample")]))
custom_hooks = [dict(type="RandomMergeRatioHook", choices=(0.3, 0.5, 0.7))]
