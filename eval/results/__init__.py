"""`results.json`: what it holds, how it is read and written, as a spreadsheet, as a table."""
