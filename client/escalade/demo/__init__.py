"""The demo: `python -m escalade.demo` starts a server and lets a simulated learner climb its environments.

Guarantee: it uses the server as any trainer would, over HTTP through the SDK, and never imports it. What is shown is
what the server answered; only the learner is made up.
"""
