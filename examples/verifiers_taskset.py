r"""A taskset for verifiers over an Escalade run, for a folder on PYTHONPATH.

    PYTHONPATH=examples vf-eval verifiers_taskset --env.taskset.run run_... -n 16 -r 8 --no-push \
        --model MODEL --client.base-url http://127.0.0.1:8000/v1 \
        --env.agent.harness.id null --env.agent.runtime.type subprocess

The server is found as always: ESCALADE_URL and ESCALADE_KEY, or the one on this machine. Needs `escalade[verifiers]`.
"""

from escalade.integrations.verifiers import EscaladeTaskset

__all__ = ["EscaladeTaskset"]
