"""From verifications and changes to what made an error go: credit, resolutions, templates."""
