"""FHIR R4 resources checked as they leave the house and as they come in; the only importer of fhir.resources.

check_resource(resource, profiles) -> list of what is wrong, empty where nothing is
written(resource) -> str, as it is sent
faults_of(resource, place) -> the same of what came from outside, quoting nothing of it
values_at, objects_at(resource, path) -> what stands there, through every list on the way
"""

from pipeline.fhir.check import check_resource, objects_at, values_at
from pipeline.fhir.received import Fault, faults_of
from pipeline.fhir.write import written

__all__ = ["Fault", "check_resource", "faults_of", "objects_at", "values_at", "written"]
