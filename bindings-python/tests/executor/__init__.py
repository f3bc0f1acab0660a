"""`TaskPoolExecutor`, `threaded_map` and `as_completed`: on the caller's loop and on others."""
