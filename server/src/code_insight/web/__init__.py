"""What browsers and probes see, and the one ASGI application that answers them and MCP clients."""
