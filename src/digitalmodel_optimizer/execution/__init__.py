"""Running a batch: workers, admission under the budgets, retries, staging, merging, the report."""
