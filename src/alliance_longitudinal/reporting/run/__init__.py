"""Runs one report in a process of its own, and verifies one by making it again."""
