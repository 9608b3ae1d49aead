"""Adapters for other people's trainers; each imports its peer only when used."""
