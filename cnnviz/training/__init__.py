"""Training runs: their settings, their record on disk, the worker that trains and the queue that starts workers."""
