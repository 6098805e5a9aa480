"""Raw bodies as they came: immutable, content-addressed, described by one manifest per
partition."""
