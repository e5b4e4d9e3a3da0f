"""Video calls between two people: the media, the line, the meeting, devices and the window.

`session.py` and the parts of a session open no socket, start no thread and read no clock: the time
is passed in.
"""
