"""The neutral model: a prompt, a reply, a reply's deltas, and the report of what a translation lost."""
