# ELVA-tiny, hardware: 2 CPU cores. Every merger and reducer on one checkpoint, each with the argument that it varies.
# Command: python tools/analysis_tools/leaderboard.py configs/leaderboard_tiny.py work_dirs/demo/stage3/iter_1000.pth
# Expected: docs/leaderboard.md. Mergers act at the relative depths of their papers, as far as 4 layers have them.
_base_ = "elva_tiny_stage3.py"
work_dir = "work_dirs/leaderboard"
shares = [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
halves = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5]
leaderboard = [
    # inside the language model
    dict(part=dict(type="HierarchicalTemporalMerger", layers=(1, 3), tau=0.6), knob="ratio", values=shares),
    dict(part=dict(type="ToMe", layers=(0, 1, 2)), knob="ratio", values=halves),
    dict(part=dict(type="FrameFusion"), knob="cost", values=shares),
    dict(part=dict(type="FastV", layer=1), knob="ratio", values=shares),
    dict(part=dict(type="PyramidDrop", layers=(1, 2, 3)), knob="ratio", values=shares),
    dict(part=dict(type="HoliTomInner", layer=2), knob="ratio", values=shares),
    dict(part=dict(type="RandomDrop", layers=(1,)), knob="ratio", values=shares),
    dict(part=dict(type="MixtureOfDepths", layers=(1, 3)), knob="ratio", values=shares),  # its router is not trained
    # before it
    dict(part=dict(type="TemporalPool", k=2)),
    dict(part=dict(type="SpatialPool", k=2)),
    dict(part=dict(type="MatryoshkaPool", scale=4)),
    dict(part=dict(type="AdaptivePool"), knob="target", values=[(2, 4, 4), (3, 3, 4), (4, 3, 3), (4, 2, 4), (4, 4, 2)]),
    dict(part=dict(type="DTD", mode="feature"), knob="ratio", values=shares),
    dict(part=dict(type="VisionZip", contextual=2), knob="dominant", values=[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    dict(part=dict(type="PruMerge", plus=True)),
    dict(part=dict(type="HoliTomOuter"), knob="retain", values=shares),
    dict(part=dict(type="DyCokeTTM"), knob="ratio", values=shares),
    dict(part=dict(type="FastVID", segments=2, stride=2), knob="retain", values=shares),
]
without = dict(  # what is in the registries and cannot take part
    NoMerge="the row without reduction",
    DyCokeCache="acts while decoding, and leaves the prefill alone",
    Compose="a chain of others",
)
