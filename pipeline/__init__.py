"""clinical-triage: prior-authorization packets in, evaluated cases with their evidence out."""
