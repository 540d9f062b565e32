"""FHIR R4 resources checked before they leave the house; the only importer of fhir.resources.

check_resource(resource, profiles) -> list of what is wrong, empty where nothing is
"""

from pipeline.fhir.check import check_resource

__all__ = ["check_resource"]
