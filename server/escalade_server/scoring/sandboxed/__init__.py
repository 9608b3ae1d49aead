"""Programs of the server that run in the sandbox: read as text, never imported here."""
