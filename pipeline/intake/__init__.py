"""Where submissions come from, one module for each channel."""
