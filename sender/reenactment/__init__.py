"""Reenactment: a portrait moves as the face before the camera does."""
