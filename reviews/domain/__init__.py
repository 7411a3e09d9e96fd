from reviews.domain.writing import TEXT_LENGTH, write

__all__ = ["TEXT_LENGTH", "write"]
