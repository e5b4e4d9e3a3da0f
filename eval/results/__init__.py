"""`results.json`: what it holds, how it is read and written, and spreadsheets made of it."""
