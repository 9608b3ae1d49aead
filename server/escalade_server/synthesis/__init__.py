"""From problem to verified environment."""
