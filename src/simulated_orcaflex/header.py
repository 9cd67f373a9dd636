"""The two objects that every model has, General and Environment, as descriptions."""

from __future__ import annotations

from .catalogue import BY_NAME
from .describe import (
    DataValue,
    EnvironmentDescription,
    ObjectDescription,
    SimulationDescription,
    VariableDescription,
)


def general_object(description: SimulationDescription) -> ObjectDescription:
    """The General object, with the data items that describe the run."""
    data: dict[str, DataValue] = {
        "StageCount": 1,
        "StageDuration": (-description.start_time_s, description.stop_time_s),
        "BuildUpDuration": -description.start_time_s,
        "TargetLogSampleInterval": description.sample_interval_s,
        "ActualLogSampleInterval": description.sample_interval_s,
        "SpectralDensityFundamentalFrequency": 0.01,
        "DynamicsSolutionMethod": "Implicit time domain",
        "UnitsSystem": "SI",
        **description.general_data,
    }
    return ObjectDescription("General", "General", variables=(), data=data)


def environment_object(sea: EnvironmentDescription) -> ObjectDescription:
    """The Environment object; its current profiles are kept apart from its data items."""
    variables = sea.variables
    if variables is None:
        variables = tuple(
            VariableDescription.from_signal(signal) for signal in BY_NAME["Environment"].signals
        )
    active = sea.active_current
    if active is None and sea.currents:
        active = sea.currents[0].name
    data: dict[str, DataValue] = {
        "WaterDepth": sea.water_depth_m,
        "WaveType": "JONSWAP",
        "WaveHs": sea.wave_hs_m,
        "WaveTp": sea.wave_tp_s,
        "WaveDirection": sea.wave_direction_deg,
        "MultipleCurrentDataCanBeDefined": True,
        "ActiveCurrent": active,
        "SelectedCurrent": active,
        **sea.data,
    }
    return ObjectDescription("Environment", "Environment", variables=variables, data=data)
