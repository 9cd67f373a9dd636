"""What happens between the command and the first batch: its command line, prewarming, the seams."""
