"""How a run is spelled in MLflow: what its reader and its writer both have to know."""
