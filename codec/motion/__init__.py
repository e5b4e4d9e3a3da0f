"""Motion on the wire: 60 numbers a frame, as FP16 or predicted and range-coded."""
