"""Runs: batches, attempts, and the event log that their curriculum is a fold of."""
