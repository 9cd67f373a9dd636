# ruff: noqa: ANN201
"""One row of numbers for each file."""

import copy
import os
from pathlib import Path

import pandas as pd

from digitalmodel.solvers.orcaflex.orcaflex_objects import OrcaFlexObjects

of_objects = OrcaFlexObjects()


class OPPSummary:
    def get_summary_for_file(self, cfg, model_dict, file_name):
        tables = {}
        for group in cfg["summary_settings"]["groups"]:
            row = [str(file_name), Path(file_name).stem, model_dict["stop_time"]]
            table = pd.DataFrame([row], columns=["fe_filename", "fe_filename_stem", "stop_time"])
            for column in group["Columns"]:
                table[[column["Label"]]] = [self.value(model_dict, column)]
            tables[group["Label"]] = table
        return tables

    def value(self, model_dict, column):
        owner, period, _, extra, variable, statistic = of_objects.get_orcaflex_objects(
            model_dict, column
        )
        names = of_objects.get_model_objects(model_dict["model"])["object_df"]["ObjectName"]
        if owner.name not in list(names):
            return None
        try:
            if column["Command"] == "StaticResult":
                return owner.StaticResult(variable, extra)
            history = owner.TimeHistory(variable, period, extra)
        except Exception:
            return None
        return {"Max": history.max, "Min": history.min, "Mean": history.mean}[statistic]()

    def add_file_result_to_all_results(self, summary, more):
        if not summary:
            return copy.deepcopy(more)
        for key in more:
            summary[key] = pd.concat([summary[key], more[key]], ignore_index=True)
        return summary

    def save_summary(self, summary, cfg):
        for key, table in (summary or {}).items():
            name = f"{cfg['Analysis']['file_name']}_{key}.csv"
            table.round(6).to_csv(os.path.join(cfg["Analysis"]["result_folder"], name), index=False)
