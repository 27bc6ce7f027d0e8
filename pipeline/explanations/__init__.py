"""Why a model answers as it does: what the signature `explain` computes, in graph."""
