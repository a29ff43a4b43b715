"""Packages of the npm registry, without Node: pinned, fetched by name, verified, never run."""
