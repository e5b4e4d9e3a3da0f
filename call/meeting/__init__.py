"""How the two sides of a call find each other: by a link and a server, or by two codes."""
