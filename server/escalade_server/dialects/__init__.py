"""The protocols of others, over our services."""
