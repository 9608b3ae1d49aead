"""Instances: seeds, generation in the sandbox, prompts, and the draws that runs share."""
