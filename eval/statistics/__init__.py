"""How sure a figure is, and which codec is ahead: intervals, BD-rates, crossings, comparison."""
