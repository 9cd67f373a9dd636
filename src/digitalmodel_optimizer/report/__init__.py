"""What people see: progress while a batch runs, the report at its end, logs of what failed."""
