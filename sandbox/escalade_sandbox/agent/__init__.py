"""The half of the sandbox that runs inside the container, as PID 1, and as a plain process where there is no engine.

Guarantee: this package imports nothing but the standard library of Python 3.11 and itself, so that the toolchain
image needs no package. Untrusted code never runs in the agent's process, and the agent believes nothing it says.
"""
