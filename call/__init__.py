"""Video calls between two people: the media, the window, and in folders the way to the other side
(`meeting/`, `line/`), the devices, and what is played when (`playing/`).

`session.py` and the parts of a session open no socket, start no thread and read no clock: the time
is passed in.
"""
