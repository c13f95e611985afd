from pgvector.sqlalchemy import Vector
from sqlalchemy import Column, Index, Integer
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class Passage(Base):
    __tablename__ = "passages"
    __table_args__ = (
        Index(
            "passages_embedding_idx",
            "embedding",
            postgresql_using="hnsw",
            postgresql_with={"m": 16, "ef_construction": 64},
            postgresql_ops={"embedding": "vector_cosine_ops"},
        ),
    )

    id = Column(Integer, primary_key=True)
    embedding = Column(Vector(3))
