"""An Atropos environment over an Escalade run: python examples/atropos_environment.py serve --env.run run_...

The server is found as always: ESCALADE_URL and ESCALADE_KEY, or the one on this machine. Needs `escalade[atropos]`.
"""

from escalade.integrations.atropos import EscaladeEnvironment

if __name__ == "__main__":
    EscaladeEnvironment.cli()
