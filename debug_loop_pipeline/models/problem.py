"""Kinds of problems (DOMAIN 3.2)."""

from __future__ import annotations

from enum import StrEnum


class ProblemCategory(StrEnum):
    """What a request is about. The order breaks ties between categories that a request points to equally."""

    DATA_TRANSFORMATION = "data_transformation"
    API_INTEGRATION = "api_integration"
    FILE_IO = "file_io"
    DATABASE = "database"
    TESTING = "testing"
    CONFIGURATION = "configuration"
    DEPENDENCY = "dependency"
    BUILD = "build"
    REFACTORING = "refactoring"
    BUG_FIX = "bug_fix"
    DOCUMENTATION = "documentation"
    CONCURRENCY = "concurrency"
    PERFORMANCE = "performance"
    SECURITY = "security"
    OTHER = "other"
