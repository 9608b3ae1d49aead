"""Tables, sessions and every SQL query. Nothing else in the server speaks SQL; nothing here decides policy."""
