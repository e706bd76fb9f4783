"""What a run of the world came to: measured from facts, told as text, as data and as a page."""
