"""Runs tasks in crash-proof child processes and reports what happens to them."""
