"""What theory says of numbers of cells, and the counts that check it."""
