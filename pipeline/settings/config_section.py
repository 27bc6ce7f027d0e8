"""What every section of a configuration is made of."""

from __future__ import annotations

import pydantic


class Section(pydantic.BaseModel):
  """Values by name; unknown names are refused, and what stands there stays."""

  # A bound of infinity or nan would be no bound.
  model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
