"""cnnviz: a CNN laboratory in the browser."""
