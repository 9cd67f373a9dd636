"""What is known of digitalmodel: its layouts, its modules, what it keeps in its configuration."""
