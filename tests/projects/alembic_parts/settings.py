import os

from sqlalchemy.engine import URL


class Settings:
    """Read once, when it is imported."""

    def __init__(self):
        self.url = URL.create(
            "postgresql+psycopg",
            username=os.environ["APP_DB_USER"],
            password=os.environ["APP_DB_PASSWORD"],
            host=os.environ["APP_DB_HOST"],
            port=int(os.environ["APP_DB_PORT"]),
            database=os.environ["APP_DB_NAME"],
        )


settings = Settings()
