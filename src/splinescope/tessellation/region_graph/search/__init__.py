"""The search over facets: what is known of cells, what is to be explored, files from which it goes on."""
