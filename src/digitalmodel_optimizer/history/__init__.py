"""What earlier runs took: kept on this machine, for comparison, trends and alerts."""
