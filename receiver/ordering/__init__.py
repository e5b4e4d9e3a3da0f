"""Puts packets into order, gives them their full times, and decides which stream is followed."""
