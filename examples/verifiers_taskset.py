"""A taskset for verifiers over an Escalade run, for a folder on PYTHONPATH.

eval verifiers_taskset --env.taskset.run run_... --env.agent.model MODEL

The server is found as always: ESCALADE_URL and ESCALADE_KEY, or the one on this machine. Needs `escalade[verifiers]`.
"""

from escalade.integrations.verifiers import EscaladeTaskset

__all__ = ["EscaladeTaskset"]
