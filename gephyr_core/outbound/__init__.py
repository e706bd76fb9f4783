"""Through which proxy a call leaves."""
