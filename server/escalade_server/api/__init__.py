"""The HTTP face: routers translate and delegate; behaviour lives in the domain packages."""
