"""Keras networks: the only folder that imports keras; the web server reaches it through the engine alone."""
