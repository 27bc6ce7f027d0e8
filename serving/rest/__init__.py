"""TensorFlow Serving's REST face: HTTP, routes, JSON bodies; everything else is the core's."""
