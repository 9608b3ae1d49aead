"""One parser per import format. Parsers run no code: they read text and return definitions or refusals."""
