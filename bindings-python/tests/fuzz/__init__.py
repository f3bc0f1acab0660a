"""Wrong types, wrong orders and objects that turn on their users: an error each, and no harm."""
