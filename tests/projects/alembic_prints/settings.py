"""Settings that are read once, when they are imported, and fall back to SQLite."""

import os

print("importing the application in process", os.getpid())

URL = os.environ.get("LEGACY_PG_URI", "sqlite:///fallback.db")
