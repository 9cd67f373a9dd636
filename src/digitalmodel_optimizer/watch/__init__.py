"""Post-processing each simulation file as it arrives, in rounds of the user's own batch."""
