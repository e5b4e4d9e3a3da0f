"""Motion on the wire: 60 numbers a frame, in FP16 or predicted and range-coded."""
