"""A face without a camera: a photograph whose head, lids and lips a program moves."""
