"""REST and WebSocket: the graph as web clients know it."""
