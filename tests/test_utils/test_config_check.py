import copy
from pathlib import Path

import pytest
from mmengine.config import Config

from elva.utils.config_check import check_config
from tests.test_engine.toy import toy_config


def changed(**changes) -> Config:
    return toy_config(Path("work_dirs/toy"), **changes)


def problems(cfg) -> list[str]:
    with pytest.raises(ValueError) as error:  # noqa: PT011  (the lines are compared by the callers)
        check_config(cfg)
    return str(error.value).splitlines()


def test_good_config_passes_and_stays_as_it_was():
    cfg = changed()
    before = copy.deepcopy(cfg.to_dict())
    check_config(cfg)
    check_config(cfg.to_dict())
    assert cfg.to_dict() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(train_datalaoder={}), "'train_datalaoder' is no option. Did you mean 'train_dataloader'?"),
        (dict(load_from="y", load_form="x"), "'load_form' is no option. Did you mean 'load_from'?"),
        (dict(train_dataloader__batchsize=2), "train_dataloader has no option 'batchsize'. Did you mean 'batch_size'?"),
        (
            dict(train_dataloader__num_workers=0, train_dataloader__persistent_workers=True),
            "train_dataloader.persistent_workers=True needs num_workers above 0. Without workers, set",
        ),
        (dict(train_dataloader__prefetch_factor=2), "train_dataloader.prefetch_factor=2 needs num_workers above 0."),
        (dict(randomness__sed=1), "randomness has no option 'sed'. Did you mean 'seed'?"),
        (dict(env_cfg__mp_cfg__mp_start=1), "env_cfg.mp_cfg has no option 'mp_start'."),
        (dict(train_cfg__max_iter=3), "train_cfg: ResumableIterLoop has no argument 'max_iter'."),
        (dict(optim_wrapper__clip_grads={}), "optim_wrapper: OptimWrapper has no argument 'clip_grads'."),
        (dict(optim_wrapper__optimizer__weight_deacy=0), "Did you mean 'weight_decay'?"),
        (dict(optim_wrapper__paramwise_cfg=dict(norm_decay_mul=0)), "Did you mean 'norm_decay_mult'?"),
        (dict(default_hooks__chekpoint={}), "default_hooks has no option 'chekpoint'. Did you mean 'checkpoint'?"),
        (dict(default_hooks__checkpoint__intervall=3), "default_hooks.checkpoint has no option 'intervall'."),
        (dict(param_scheduler=[dict(type="LinearLR", begn=2)]), "param_scheduler[0] has no option 'begn'."),
        (dict(custom_hooks=[dict(type="RandomMergeRatioHok")]), "Nearest names: RandomMergeRatioHook"),
        (dict(model__widht=3), "model: ToyModel has no argument 'widht'. Did you mean 'width'?"),
        (dict(model__type="ToyModle"), "Nearest names: ToyModel"),
        (dict(train_dataloader__dataset__type="ToyDat"), "train_dataloader.dataset: 'ToyDat' is not in the registry"),
        (dict(train_dataloader__sampler__type="InfinitSampler"), "Nearest names: InfiniteSampler"),
        (dict(train_dataloader__collate_fn__type="pseudo_colate"), "Nearest names: pseudo_collate"),
        (dict(train_dataloader__collate_fn__tpye="x"), "has no argument 'tpye'"),
        (dict(log_processor__window=3), "LogProcessor has no argument 'window'. Did you mean 'window_size'?"),
        (dict(val_evaluator__prefx="x"), "val_evaluator: ToyMetric has no argument 'prefx'. Did you mean 'prefix'?"),
        (dict(val_evaluator=None), "val_dataloader, val_cfg without val_evaluator: give all of them, or none."),
        (dict(optim_wrapper=None), "train_dataloader, train_cfg without optim_wrapper"),
        (dict(default_hooks__new=dict(interval=3)), "default_hooks.new has no 'type': what should be built?"),
        (dict(model=None), "there is no 'model'."),
        (dict(default_scope="mmengine"), "default_scope is 'mmengine' and not 'elva'"),
        (dict(model__type="mmdet.ToyModel"), "'mmdet.ToyModel' is not in the registry"),
        (dict(model___scope_="mmdet"), "'mmdet.ToyModel' is not in the registry"),
        (dict(visualizer=dict(vis_backends=[dict(type="TensorbordVisBackend")])), "TensorboardVisBackend"),
    ],
)
def test_mistake_is_named_with_its_place_and_what_was_meant(changes, message):
    cfg = changed()
    for key, value in changes.items():
        if value is None or isinstance(cfg.get(key), list) or key == "visualizer":
            cfg[key] = value
        else:
            cfg.merge_from_dict({key.replace("___scope_", "._scope_").replace("__", "."): value})
    found = problems(cfg)
    assert any(message in line for line in found), found


def test_component_of_the_wrong_kind_is_told_where_it_belongs():
    cfg = changed(train_dataloader__dataset__type="ToyModel")
    assert "A component of that name is in the registry 'model'" in problems(cfg)[0]


@pytest.mark.parametrize("name", ["train_dataset", "test_pipeline", "load_video", "data_root", "train_loader"])
def test_variables_of_a_config_are_not_taken_for_options(name):
    check_config(changed(**{name: 1}))


def test_every_mistake_is_found_at_once_and_names_the_file():
    lines = problems(changed(load_form="x", model__widht=3))
    assert len(lines) == 2
    assert all("default_runtime.py: " in line for line in lines)


def test_parts_of_a_model_are_looked_up_by_their_keys():
    model = dict(
        type="VideoLLM",
        tokenizer=dict(type="LinearPatchEmbd"),
        llm=dict(type="HFDecodr"),
        merger=dict(type="NoMerge", ratio=0.1),
        supervisors=[dict(type="TubeAlignmnt")],
    )
    cfg = changed()
    cfg.model = model
    text = "\n".join(problems(cfg))
    assert "model.tokenizer: 'LinearPatchEmbd' is not in the registry 'elva::video tokenizer'" in text
    assert "Nearest names: HFDecoder" in text
    assert "model.merger has no option 'ratio'. It takes: nothing." in text
    assert "model.supervisors[0]" in text


def test_sampler_of_frames_is_not_the_sampler_of_samples():
    load = dict(type="LoadVideo", reader=dict(type="PyAVReadr"), sampler=dict(type="InfiniteSampler"), resolution={})
    cfg = changed(train_dataloader__dataset=dict(_delete_=True, type="VideoTextDataset", ann_file="a", pipeline=[load]))
    text = "\n".join(problems(cfg))
    assert "'InfiniteSampler' is not in the registry 'elva::frame sampler'" in text
    assert "Nearest names: PyAVReader" in text
    assert "train_dataloader.dataset.pipeline[0].resolution has no 'type'" in text


def test_missing_argument_is_named():
    cfg = changed(train_dataloader__dataset=dict(_delete_=True, type="VideoTextDataset"))
    assert "train_dataloader.dataset: VideoTextDataset needs 'ann_file'." in problems(cfg)[0]


@pytest.mark.parametrize(
    "changes",
    [
        dict(my_dataset=dict(type="NoSuchThing")),  # a variable of the config's own
        dict(model__width=4, crop=dict(typ="x")),
        dict(optim_wrapper__clip_grad=dict(type="norm", max_norm=1.0)),  # a 'type' that is no component
        dict(default_hooks__checkpoint=None),
        dict(default_hooks__merge_ratio=dict(type="RandomMergeRatioHook", priority="LOW")),
        dict(custom_hooks=[dict(type="EMAHook", momentum=0.1, anything=1)]),
    ],
)
def test_what_is_no_mistake_passes(changes):
    check_config(changed(**changes))


def test_untyped_sections_mean_what_the_runner_builds():
    cfg = changed(val_cfg=dict(_delete_=True, fp16=True), train_cfg=dict(_delete_=True, by_epoch=True, max_epochs=1))
    check_config(cfg)
    cfg.val_cfg = dict(interval=1)
    cfg.train_cfg = dict(by_epoch=False, max_epochs=1)
    text = "\n".join(problems(cfg))
    assert "val_cfg: ValLoop has no argument 'interval'" in text
    assert "train_cfg: IterBasedTrainLoop has no argument 'max_epochs'" in text


def test_classes_instead_of_names_are_checked_too():
    from tests.test_engine.toy import ToyModel

    cfg = changed().to_dict()
    cfg["model"] = dict(type=ToyModel, widht=3)
    assert "model: ToyModel has no argument 'widht'" in problems(cfg)[0]
