"""The feed of business events: what places them, and how they are read."""
