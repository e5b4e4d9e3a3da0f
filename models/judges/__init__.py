"""Networks of other people that judge pictures and sound; `eval` measures with them."""
