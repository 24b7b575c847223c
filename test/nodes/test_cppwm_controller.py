"""Parameters of the cppwm_controller node: one truth for each default."""

from dataclasses import fields

from charger_control.core.cppwm_controller import ControllerConfig
from charger_control.core.pi import PiConfig
from charger_control.nodes.cppwm_controller import PARAMS, config_of

DEFAULTS = {param.name: param.default for param in PARAMS}


def test_the_defaults_of_the_parameters_are_those_of_the_controller():
    assert config_of(DEFAULTS) == ControllerConfig(sources=('hw', 'smart_charging', 'api'))


def test_every_figure_of_the_regulator_is_a_parameter_and_arrives():
    for field in fields(PiConfig):
        config = config_of(DEFAULTS | {f'pi.{field.name}': 0.875})
        assert getattr(config.pi, field.name) == 0.875
