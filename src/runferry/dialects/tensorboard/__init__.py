"""How a run is spelled in TensorBoard's folders: what its reader and its writer both know."""
