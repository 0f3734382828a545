"""What agents are handed, whether it helps, and when they are stuck."""
