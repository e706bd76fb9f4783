"""Between client and provider of different dialects: requests on their way, replies and streams on their way back."""
