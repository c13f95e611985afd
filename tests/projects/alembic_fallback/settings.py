import os

URL = os.environ.get("SHOP_PG_URI") or "sqlite:///shop.db"
