"""How a plugin and its weights come in: installed from a file or folder, fetched on the user's word."""
