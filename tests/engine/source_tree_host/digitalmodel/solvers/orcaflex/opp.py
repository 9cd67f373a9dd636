# ruff: noqa: ANN002, ANN201, ANN202, ANN204, LOG015
"""The loop, with a pool of processes of its own."""

import logging
import os
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed

import OrcFxAPI

from digitalmodel.infrastructure.utils.parallel_processing import should_use_parallel
from digitalmodel.solvers.orcaflex.opp_linkedstatistics import OPPLinkedStatistics
from digitalmodel.solvers.orcaflex.opp_summary import OPPSummary
from digitalmodel.solvers.orcaflex.opp_time_series import OPPTimeSeries
from digitalmodel.solvers.orcaflex.orcaflex_objects import OrcaFlexObjects
from digitalmodel.solvers.orcaflex.orcaflex_utilities import OrcaflexUtilities
from digitalmodel.solvers.orcaflex.output_control import OutputController

ou = OrcaflexUtilities()
of_objects = OrcaFlexObjects()
opp_summary = OPPSummary()
opp_ls = OPPLinkedStatistics()
opp_ts = OPPTimeSeries()


class PandasChainedAssignent:  # the host's name
    """Stands for a switch of a global pandas option."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def process_single_file(args):
    file_name, file_index, cfg = args
    print(f"PROCESS {os.getpid()} {file_name}", flush=True)
    try:
        model_dict = ou.get_model_and_metadata(file_name=file_name)
        result = {"file_name": file_name, "file_index": file_index, "summary": None, "error": None}
        result["histogram"] = [[]]
        if model_dict["model"] is None:
            return result
        wanted = cfg["orcaflex"]["postprocess"]
        if wanted["summary"]["flag"]:
            result["summary"] = opp_summary.get_summary_for_file(cfg, model_dict, file_name)
        if wanted["time_series"]["flag"]:
            opp_ts.get_time_series_data(cfg, model_dict, file_name)
        return result
    except Exception as error:
        return {
            "file_name": file_name,
            "file_index": file_index,
            "error": str(error),
            "traceback": traceback.format_exc(),
        }


class OrcaFlexPostProcess:
    def post_process_router(self, cfg):
        OrcFxAPI.Model()
        cfg.update({cfg["meta"]["basename"]: {}})
        self.post_process(cfg)
        return cfg

    def _handle_process_error(self, file_name, error, cfg):
        logging.error("%s: %s", file_name, error)
        if cfg.get("parallel_processing", {}).get("save_error_reports", True):
            with open(f"{file_name}_error.log", "w") as stream:
                stream.write(str(error))

    def post_process(self, cfg):
        display = OutputController.from_config(cfg)
        ou.get_load_matrix_with_filenames(cfg)
        files = cfg.file_management["input_files"]["sim"]
        cfg.setdefault("parallel_processing", {})["task_type"] = "mixed"
        use_pool, workers, _ = should_use_parallel(
            cfg=cfg, num_items=len(files), module_name="OPP Post-Process"
        )
        if not use_pool:
            return self._post_process_sequential_with_output(cfg, display)
        display.start(workers)
        jobs = [(name, index, cfg) for index, name in enumerate(files)]
        results = []
        with ProcessPoolExecutor(max_workers=workers) as pool:
            for future in as_completed([pool.submit(process_single_file, job) for job in jobs]):
                self._take(future.result(), results, display, cfg)
        return self._finish(results, cfg)

    def _post_process_sequential_with_output(self, cfg, display):
        display.start(1)
        results = []
        for index, name in enumerate(cfg.file_management["input_files"]["sim"]):
            self._take(process_single_file((name, index, cfg)), results, display, cfg)
        return self._finish(results, cfg)

    def _take(self, result, results, display, cfg):
        results.append(result)
        display.completed(result["file_name"], result["error"])
        if result["error"]:
            self._handle_process_error(result["file_name"], Exception(result["error"]), cfg)

    def _finish(self, results, cfg):
        results.sort(key=lambda item: item["file_index"])
        summary = None
        for result in results:
            if result.get("summary"):
                summary = opp_summary.add_file_result_to_all_results(summary, result["summary"])
        with PandasChainedAssignent():
            opp_summary.save_summary(summary, cfg)
            opp_ls.save_linked_statistics(None, cfg)
        self.HistogramAllFiles = [item.get("histogram", [[]]) for item in results]
        return cfg
