"""A call without any network: what goes in and comes out are pictures, sound, datagrams and times.

Nothing here opens a socket, starts a thread or reads a clock. The time is passed in.
"""
