import re
import subprocess
import sys

import pytest
from mmengine.registry import DefaultScope

from elva.registry import (
    ATTENTIONS,
    HOOKS,
    MERGERS,
    MODELS,
    TOKENIZERS,
    Registry,
    all_registries,
    check_arguments,
    elva_scope,
    register_all_modules,
)


class Kettle:
    def __init__(self, litres: float, colour: str = "red") -> None:
        self.litres = litres
        self.colour = colour


class Anything:
    def __init__(self, **options: int) -> None:
        self.options = options


@pytest.fixture
def kitchen() -> Registry:
    registry = Registry("kitchen", [])
    registry.register_module(module=Kettle)
    registry.register_module(module=Anything)
    return registry


def test_builds_what_is_registered(kitchen):
    kettle = kitchen.build(dict(type="Kettle", litres=1.5))
    assert isinstance(kettle, Kettle)
    assert (kettle.litres, kettle.colour) == (1.5, "red")


def test_build_accepts_the_class_itself(kitchen):
    assert kitchen.build(dict(type=Kettle, litres=2)).litres == 2


def test_build_accepts_a_name_with_its_scope(kitchen):
    assert kitchen.build(dict(type="elva.Kettle", litres=2)).litres == 2


def test_names_are_sorted(kitchen):
    assert kitchen.names() == ["Anything", "Kettle"]


def test_names_imports_the_components_first():
    assert {"NoMerge", "HierarchicalTemporalMerger", "ToMe"} <= set(MERGERS.names())
    assert MERGERS.names() == sorted(MERGERS.names())


def test_contains(kitchen):
    assert "Kettle" in kitchen
    assert "Kettel" not in kitchen


def test_unknown_name_is_answered_with_the_nearest_and_its_file(kitchen):
    with pytest.raises(ValueError, match=r"'Kettel' is not in the registry 'elva::kitchen'") as error:
        kitchen.build(dict(type="Kettel", litres=1))
    assert re.search(r"Nearest names: Kettle \(\S*test_registry\.py:\d+\)", str(error.value))
    assert "custom_imports" in str(error.value)


def test_name_like_no_other_is_answered_without_a_guess(kitchen):
    with pytest.raises(ValueError, match="'Zzz' is not in the registry") as error:
        kitchen.get("Zzz")
    assert "Nearest" not in str(error.value)


def test_right_name_in_the_wrong_registry_is_told_where_it_belongs():
    with pytest.raises(ValueError, match="is in the registry 'merger': is it under the right key"):
        TOKENIZERS.build(dict(type="NoMerge"))


def test_misspelt_component_of_the_toolkit_names_the_file_it_lives_in():
    with pytest.raises(ValueError, match=r"HierarchicalTemporalMerger \(\S*hierarchical_temporal\.py:\d+\)"):
        MERGERS.build(dict(type="HierachicalTemporalMerger"))


def test_unknown_argument_is_answered_with_the_nearest(kitchen):
    with pytest.raises(ValueError, match="Kettle has no argument 'color'. Did you mean 'colour'") as error:
        kitchen.build(dict(type="Kettle", litres=1, color="blue"))
    assert "It takes: litres, colour" in str(error.value)
    assert re.search(r"test_registry\.py:\d+", str(error.value))


def test_argument_like_no_other_is_answered_with_all(kitchen):
    with pytest.raises(ValueError, match="no argument 'wxyz'") as error:
        kitchen.build(dict(type="Kettle", litres=1, wxyz=3))
    assert "Did you mean" not in str(error.value)
    assert "It takes: litres, colour" in str(error.value)


def test_component_with_open_arguments_takes_any(kitchen):
    assert kitchen.build(dict(type="Anything", whatever=3)).options == {"whatever": 3}


def test_missing_argument_stays_a_type_error_that_names_it(kitchen):
    with pytest.raises(TypeError, match="litres"):
        kitchen.build(dict(type="Kettle"))


def test_check_arguments_lets_builtins_pass_that_hide_their_signature():
    check_arguments(dict.fromkeys, {})
    check_arguments(type, {"anything": 1})


def test_components_of_mmengine_are_found_in_a_fresh_process():
    code = "from elva.registry import HOOKS; print(HOOKS.get('CheckpointHook').__module__)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split()[-1].startswith("mmengine.")


def test_misspelt_component_of_mmengine_is_answered_as_well():
    with pytest.raises(ValueError, match=r"Nearest names: CheckpointHook \(\S*checkpoint_hook\.py:\d+\)"):
        HOOKS.build(dict(type="CheckpointHok"))


def test_scope_lets_mmengine_build_components():
    from mmengine.registry import MODELS as ROOT

    MODELS.register_module(name="OnlyHere", module=Kettle)
    try:
        with DefaultScope.overwrite_default_scope("mmengine"), pytest.raises(KeyError, match="OnlyHere"):
            ROOT.build(dict(type="OnlyHere", litres=1))
        with elva_scope():
            assert isinstance(ROOT.build(dict(type="OnlyHere", litres=1)), Kettle)
    finally:
        MODELS.module_dict.pop("OnlyHere")


def test_every_registry_has_a_name_of_its_own_and_a_place_to_look():
    registries = list(all_registries())
    assert len({registry.name for registry in registries}) == len(registries)
    assert all(registry._locations for registry in registries)
    assert {registry.scope for registry in registries} == {"elva"}


def test_register_all_modules_imports_every_location_and_fills_the_registries():
    register_all_modules()
    for registry in (MERGERS, TOKENIZERS, ATTENTIONS):
        assert registry.module_dict, f"nothing is registered as {registry.name}"
