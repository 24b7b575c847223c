"""REST, WebSocket and pages: the graph as web clients know it."""
