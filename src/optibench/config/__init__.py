"""From overrides to a checked configuration: Hydra composes it, the plug-ins are its schema."""
