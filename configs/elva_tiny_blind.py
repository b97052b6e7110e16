# ELVA-tiny tested with every frame blank: how much of a score needs no video.
# Command: python tools/test.py configs/elva_tiny_blind.py work_dirs/demo/stage3/iter_1000.pth
_base_ = "elva_tiny_stage3.py"
work_dir = "work_dirs/demo/blind"
test_dataloader = dict(
    dataset=dict(
        pipeline=[_base_.load_video, dict(type="BlankFrames"), _base_.question, dict(type="PackSample")],
    )
)
