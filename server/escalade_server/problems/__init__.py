"""Problems: what an archive holds, and the environment definitions made from it."""
