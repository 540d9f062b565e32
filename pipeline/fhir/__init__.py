"""FHIR R4 resources checked before they leave the house; the only importer of fhir.resources.

check_resource(resource, profiles) -> list of what is wrong, empty where nothing is
written(resource) -> str, as it is sent
"""

from pipeline.fhir.check import check_resource
from pipeline.fhir.write import written

__all__ = ["check_resource", "written"]
