"""Events, and how they are sent."""
