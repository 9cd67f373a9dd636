# ruff: noqa: ANN201
"""Linked statistics: never asked for here."""


class OPPLinkedStatistics:
    def add_file_result_to_all_results(self, so_far, more):
        return so_far or more

    def save_linked_statistics(self, linked_statistics, cfg):
        return None
