"""Labelled images out of open fonts and stroke data, as they would look cut from a bank form."""
