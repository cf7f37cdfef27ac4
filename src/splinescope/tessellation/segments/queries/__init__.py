"""What segments answer: classes, margins, extrema, maps, lengths, attributions, tables."""
