"""Pictures made on the server: where things stand, in numbers. Knows nothing of repositories, HTML or HTTP."""
