"""Isolated execution of programs: one protocol, several backends.

Import the types from `escalade_sandbox.types`; open a backend with `escalade_sandbox.backends.open_sandbox`.
"""
