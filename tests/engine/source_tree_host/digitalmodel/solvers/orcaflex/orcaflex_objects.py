# ruff: noqa: ANN201
"""From a column of the configuration to what OrcFxAPI is asked."""

import OrcFxAPI
import pandas as pd


class OrcaFlexObjects:
    def get_orcaflex_objects(self, model_dict, cfg):
        try:
            owner = model_dict["model"][cfg["ObjectName"]]
        except Exception:
            owner = None
        extra = None
        if cfg.get("objectExtra"):
            extra = {"End A": OrcFxAPI.oeEndA, "End B": OrcFxAPI.oeEndB}[cfg["objectExtra"][0]]
        begin, end = cfg.get("SimulationPeriod") or (None, None)
        begin = model_dict["start_time"] if begin is None else begin
        end = model_dict["current_time"] if end is None else end
        period = OrcFxAPI.SpecifiedPeriod(begin, end)
        return owner, period, extra, extra, cfg["Variable"], cfg.get("Statistic_Type")

    def get_model_objects(self, model):
        names = [item.name for item in model.objects]
        return {"object_df": pd.DataFrame({"ObjectName": names})}
