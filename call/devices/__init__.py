"""What a call sees and hears with, shows and plays on: devices, or files in their place."""
