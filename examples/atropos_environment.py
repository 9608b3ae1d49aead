r"""An Atropos environment over an Escalade run, beside Atropos's own server (`run-api`) and trainer.

    python examples/atropos_environment.py serve --env.run run_... --env.group_size 8 --env.use_wandb false \
        --env.tokenizer_name MODEL --openai.model_name MODEL --openai.base_url http://127.0.0.1:9001/v1 \
        --openai.server_type openai --openai.api_key x --openai.health_check false

The server is found as always: ESCALADE_URL and ESCALADE_KEY, or the one on this machine. Needs `escalade[atropos]`.
"""

from escalade.integrations.atropos import EscaladeEnvironment

if __name__ == "__main__":
    EscaladeEnvironment.cli()
