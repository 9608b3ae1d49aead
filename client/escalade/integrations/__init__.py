"""Adapters that let other people's trainers follow an Escalade run: TRL, verl, verifiers and Atropos.

Guarantee: importing this package needs no trainer. Each module imports its trainer when it is imported or used itself,
and says which extra brings it where it is missing. No adapter turns a failure of ours into a score of 0.
"""
