"""The Escalade server: environments, instances, scoring, runs and their curriculum, behind one HTTP API."""
