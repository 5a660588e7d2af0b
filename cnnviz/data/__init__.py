"""Pictures to learn from: where they come from, what is wrong with them, and how they are split; no keras."""
