"""Reading and judging answers: extraction and typed comparison, pure and total over any text.

Guarantee: an answer is data. Nothing here evaluates what a model wrote, guesses between two readings, or spends more
than linear time on it.
"""
