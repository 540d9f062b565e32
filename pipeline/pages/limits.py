"""What one file and one page may cost."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """See the settings of the same names for what each limits."""

    max_file_mb: int = 200
    max_pages: int = 500
    max_page_megapixels: int = 60
    page_timeout_s: float = 60.0
    worker_memory_mb: int = 2048

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(
            max_file_mb=settings.max_file_mb,
            max_pages=settings.max_pages,
            max_page_megapixels=settings.max_page_megapixels,
            page_timeout_s=settings.page_timeout_s,
            worker_memory_mb=settings.worker_memory_mb,
        )
