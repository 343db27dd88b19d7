"""Where universes and texts come from."""
