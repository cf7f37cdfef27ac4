"""Tests of the landscape of the loss."""
