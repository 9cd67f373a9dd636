# ruff: noqa: ANN201
"""One table for each file and group; an open period is closed in the configuration itself."""

import os
from pathlib import Path

import pandas as pd

from digitalmodel.solvers.orcaflex.orcaflex_objects import OrcaFlexObjects

of_objects = OrcaFlexObjects()


class OPPTimeSeries:
    def get_time_series_data(self, cfg, model_dict, file_name):
        outputs = []
        for group in cfg["time_series_settings"]["groups"]:
            table = pd.DataFrame()
            for column in group["Columns"]:
                if column["SimulationPeriod"][1] is None:
                    column["SimulationPeriod"][1] = model_dict["stop_time"]
                owner, period, _, extra, variable, _ = of_objects.get_orcaflex_objects(
                    model_dict, column
                )
                table["time"] = model_dict["model"].SampleTimes(period)
                table[column["Label"]] = owner.TimeHistory(variable, period, objectExtra=extra)
            name = f"{Path(file_name).stem}_{group['Label']}.csv"
            output = os.path.join(cfg["Analysis"]["result_folder"], name)
            table.round(6).to_csv(output, index=False)
            outputs.append(output)
        records = cfg[cfg["meta"]["basename"]]
        if "time_series" not in records:
            records["time_series"] = []
        else:
            records["time_series"].append({"data": outputs, "file_name": str(file_name)})
