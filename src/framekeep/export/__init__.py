"""Datasets: plain records, their splits, and the formats that training code reads."""
