"""The reference GRPO trainer (extra `trainer`): `escalade train --config FILE`.

`train` is the script; `model` the small transformer, `grpo` the loss, `policies`, `hf` and `endpoint` what can be
trained or asked, `warmup` the supervised start, `desk` the talk with the server, `saving` and `metrics` what is kept.

Guarantee: torch is imported nowhere else in the SDK.
"""
